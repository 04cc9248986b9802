package kube

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Call is one request to an API server as that server understands it (k8s.io/apiserver, RequestInfo).
type Call struct {
	Verb string // get, list, watch, create, update, patch, delete, deletecollection, proxy
	// Path is that of a request that is not about a resource: /version, /apis, /healthz …; "" otherwise.
	Path string

	Group, Version, Resource, Subresource string
	// Namespace is "" for all of them and for what is in none; Name is "" for collections.
	Namespace, Name string
	// Rest is what of the path stands behind the subresource (proxy).
	Rest string

	DryRun                        bool
	Force                         bool // of a server-side apply: others' fields are taken over, so that there is no conflict
	LimitBytes                    bool // of a log: it ends in the middle of a line
	FieldManager                  string
	LabelSelector, FieldSelector  string
	ResourceVersion, Continuation string
}

// ErrCall says that a request is refused whatever policy says: it can be read in two ways, or in none.
var ErrCall = errors.New("not a request to an API server that can be judged")

type callError string

func (e callError) Error() string { return string(e) }
func (e callError) Is(t error) bool {
	return t == ErrCall
}

// maxPath bounds a path in bytes, maxParams the query's parameters.
const (
	maxPath   = 8 << 10
	maxParams = 128
)

// ParseCall reads a request's method, path and query as they will be sent.
func ParseCall(method, path, rawQuery string) (*Call, error) {
	if err := plainPath(path); err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(rawQuery)
	if err != nil || len(q) > maxParams {
		return nil, callError("the query can be read in two ways")
	}
	for name, values := range q {
		if len(values) > 1 && once(name) {
			return nil, callError("the parameter " + name + " is there twice")
		}
	}
	c := &Call{}
	if err := c.path(path); err != nil {
		return nil, err
	}
	if err := c.method(method, q); err != nil {
		return nil, err
	}
	switch q.Get("insecureSkipTLSVerifyBackend") {
	case "", "false", "0":
	default:
		return nil, callError("insecureSkipTLSVerifyBackend has the API server believe whoever answers as kubelet")
	}
	switch c.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		c.DryRun = q.Get("dryRun") != "" && c.Subresource != "proxy" && c.Path == ""
	}
	c.FieldManager, c.Force, c.LimitBytes = q.Get("fieldManager"), q.Get("force") == "true", q.Has("limitBytes")
	c.ResourceVersion, c.Continuation = q.Get("resourceVersion"), q.Get("continue")
	if slices.Contains([]string{"list", "watch", "deletecollection"}, c.Verb) {
		c.LabelSelector, c.FieldSelector = q.Get("labelSelector"), q.Get("fieldSelector")
	}
	return c, nil
}

// once reports whether a parameter decides; of several the server takes the first, and others the last.
func once(name string) bool {
	switch name {
	case "watch", "fieldSelector", "labelSelector", "dryRun", "resourceVersion", "resourceVersionMatch", "continue", "limit", "follow",
		"fieldManager", "force", "fieldValidation", "container", "previous", "timeoutSeconds", "gracePeriodSeconds", "propagationPolicy",
		"insecureSkipTLSVerifyBackend", "limitBytes":
		return true
	}
	return false
}

// plainPath refuses what is not in the one normal form. An API server's names need no percent-encoding.
func plainPath(p string) error {
	if !strings.HasPrefix(p, "/") || len(p) > maxPath {
		return callError("the path is too long, or none")
	}
	for i := range len(p) {
		switch b := p[i]; {
		case b <= ' ' || b >= 0x7F, b == '%', b == '\\', b == ';', b == '#', b == '?', b == '"':
			return callError("the path has a character that no name of an API has")
		}
	}
	for i, s := range strings.Split(p[1:], "/") {
		if s == "." || s == ".." || s == "" && strings.Contains(p[1:], "//") || i == 0 && s == "" && p != "/" {
			return callError("the path is not in normal form")
		}
	}
	return nil
}

// path takes the path apart.
func (c *Call) path(p string) error {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	from := 0
	switch {
	case parts[0] == "api" && len(parts) >= 3:
		from = 1
	case parts[0] == "apis" && len(parts) >= 4:
		c.Group, from = parts[1], 2
	default:
		if low := strings.ToLower(parts[0]); low != parts[0] {
			return callError("paths of an API are in lower case")
		}
		c.Path = p
		return nil
	}
	c.Version = parts[from]
	parts = parts[from+1:]
	if parts[0] == "watch" || parts[0] == "proxy" {
		if c.Verb = parts[0]; len(parts) < 2 {
			return callError("the path names no resource")
		}
		parts = parts[1:]
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		c.Namespace = parts[1]
		if len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
			parts = parts[2:]
		}
	}
	c.Resource = parts[0]
	if len(parts) > 1 {
		c.Name = parts[1]
	}
	if len(parts) > 2 && c.Verb != "proxy" {
		c.Subresource = parts[2]
		c.Rest = strings.Join(parts[3:], "/")
	}
	return c.checkNames(strings.HasSuffix(p, "/"))
}

func (c *Call) checkNames(slash bool) error {
	for _, s := range []string{c.Group, c.Version, c.Resource, c.Subresource} {
		if s != "" && !dnsName(s, true) {
			return callError("groups, versions and resources are in lower case, with dots and hyphens")
		}
	}
	if strings.Contains(c.Resource+c.Subresource, ".") {
		return callError("a resource's name has a dot")
	}
	if c.Namespace != "" && !dnsName(c.Namespace, false) {
		return callError("that is no namespace's name")
	}
	proxied := c.Subresource == "proxy" || c.Verb == "proxy"
	if !proxied && (slash || c.Rest != "" && c.Resource != "nodes") {
		return callError("the path goes on behind what it names")
	}
	return nil
}

// method finds the verb.
func (c *Call) method(m string, q url.Values) error {
	if c.Path != "" {
		c.Verb = strings.ToLower(m)
		if m != "GET" && m != "HEAD" && m != "POST" && m != "PUT" && m != "PATCH" && m != "DELETE" {
			return callError("the method " + m + " is not one of an API server's")
		}
		return nil
	}
	verbs := map[string]string{"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
	verb, ok := verbs[m]
	if !ok {
		return callError("the method " + m + " is not one of an API server's")
	}
	if c.Verb != "" { // by the path: /watch/, /proxy/
		if c.Verb == "watch" && m != "GET" {
			return callError("only GET watches")
		}
		return nil
	}
	c.Verb = verb
	switch {
	case c.Name != "":
	case verb == "get":
		c.Verb = "list"
		if w, ok := q["watch"]; ok && !slices.Contains([]string{"false", "0"}, strings.ToLower(w[0])) {
			c.Verb = "watch"
		}
		c.Name = nameSelected(q.Get("fieldSelector"))
	case verb == "delete":
		c.Verb = "deletecollection"
	case verb != "create":
		return callError("the request names nothing to change")
	}
	return nil
}

// nameSelected is the name that a field selector asks for alone.
func nameSelected(selector string) string {
	if strings.ContainsAny(selector, `\,`) {
		return "" // with other terms, the collection is what is asked for
	}
	name, ok := strings.CutPrefix(selector, "metadata.name=")
	if name = strings.TrimPrefix(name, "="); !ok || strings.ContainsAny(name, "/%=!") || name == "." || name == ".." {
		return ""
	}
	return name
}

// Kind is the resource as kubectl writes it: deployments.apps/scale, pods/log.
func (c *Call) Kind() string {
	s := c.Resource
	if c.Group != "" {
		s += "." + c.Group
	}
	if c.Verb == "proxy" {
		return s + "/proxy"
	}
	if c.Subresource != "" {
		s += "/" + c.Subresource
	}
	return s
}

// Where is namespace/name: "dev/web", "dev/" for a collection in a namespace, "/node1" for what is in none or a
// collection in all.
func (c *Call) Where() string { return c.Namespace + "/" + c.Name }

// Reads reports whether the call changes nothing.
func (c *Call) Reads() bool {
	switch c.Verb {
	case "get", "list", "watch", "head":
		return c.Subresource != "proxy"
	}
	return false
}

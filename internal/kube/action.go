package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// Features of calls (docs/kubernetes.md). Dangerous ones block unless a rule allows them.
const (
	FeaturePrivileged  = "privileged"     // a privileged container, or one with added capabilities
	FeatureHostPath    = "host_path"      // mounts a path of the node
	FeatureHostSpace   = "host_namespace" // in the node's network, process or IPC namespace
	FeatureSecretUse   = "secret_use"     // gives a container secrets; value: which
	FeatureRBAC        = "rbac"           // changes who may do what
	FeatureExtends     = "extends_api"    // changes what the API server does: webhooks, API services, custom resources
	FeatureProxy       = "proxy"          // speaks to a node, pod or service through the API server
	FeatureCredentials = "credentials"    // obtains credentials: tokens, certificates
	FeatureOpaquePatch = "opaque_patch"   // a patch whose effect depends on what is there: copy, move, test
	FeatureMaskedValue = "masked_value"   // has what a mask leaves of a value, which would overwrite that
	FeatureDryRun      = "dry_run"
	FeatureImage       = "image"           // value: the images
	FeatureService     = "service_account" // value: as which containers run
	FeaturePatch       = "patch"           // value: json, merge, strategic, apply
	FeatureScope       = "scope"           // value: namespace, cluster
	FeatureEphemeral   = "ephemeral_container"
)

// maxDepth bounds how deep a body may be nested.
const maxDepth = 64

// Action is what policy judges. contentType and body are the request's.
func (c *Call) Action(method, target, contentType string, body []byte) action.Action {
	a := action.Action{Kind: action.KindKube, Verbs: []string{c.Verb}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{}, Features: map[string]any{}, Text: method + " " + target, Params: []action.Param{}}
	o := action.Object{Schema: c.Kind(), Name: c.Where(), Columns: []string{}, Resolved: true}
	if c.Path != "" {
		o.Schema, o.Name = "", c.Path
	}
	if c.Reads() {
		a.Reads = append(a.Reads, o)
	} else {
		a.Writes = append(a.Writes, o)
	}
	a.Fingerprint = c.Verb + " " + o.Schema
	if c.Path != "" {
		a.Fingerprint = c.Verb + " " + c.Path
	}
	for _, p := range []action.Param{{Name: "labelSelector", Value: c.LabelSelector}, {Name: "fieldSelector", Value: c.FieldSelector}, {Name: "fieldManager", Value: c.FieldManager}} {
		if p.Value != "" {
			a.Params = append(a.Params, p)
		}
	}
	c.features(a.Features)
	if len(bytes.TrimSpace(body)) > 0 {
		c.body(a.Features, contentType, body)
	}
	return a
}

// features are those of the head.
func (c *Call) features(f map[string]any) {
	if c.DryRun {
		f[FeatureDryRun] = true
	}
	if c.Path == "" {
		f[FeatureScope] = "cluster"
		if c.Namespace != "" {
			f[FeatureScope] = "namespace"
		}
	}
	if c.Verb == "proxy" || c.Subresource == "proxy" {
		f[FeatureProxy] = true
	}
	if c.Reads() {
		return
	}
	switch c.Group {
	case "rbac.authorization.k8s.io":
		f[FeatureRBAC] = true
	case "admissionregistration.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io":
		f[FeatureExtends] = true
	case "certificates.k8s.io":
		f[FeatureCredentials] = true
	}
	switch c.Kind() {
	case "serviceaccounts/token":
		f[FeatureCredentials] = true
	case "pods/ephemeralcontainers":
		f[FeatureEphemeral] = true
	}
}

// body looks at what is sent. What cannot be read is unparsed, which blocks.
func (c *Call) body(f map[string]any, contentType string, body []byte) {
	t, _, err := mime.ParseMediaType(contentType)
	if contentType == "" {
		t, err = "application/json", nil
	}
	patch, known := map[string]string{"application/json": "", "application/json-patch+json": "json", "application/merge-patch+json": "merge",
		"application/strategic-merge-patch+json": "strategic", "application/apply-patch+yaml": "apply"}[t]
	if err != nil || !known || (c.Verb == "patch") != (patch != "") {
		if f[FeatureProxy] == nil {
			f[action.FeatureUnparsed] = true
		}
		return
	}
	if patch != "" {
		f[FeaturePatch] = patch
	}
	doc, err := decode(body)
	if err != nil { // YAML that is not JSON, names that are there twice, and what is neither
		f[action.FeatureUnparsed] = true
		return
	}
	w := &walker{features: f, sets: map[string]map[string]bool{}}
	if patch == "json" {
		doc = w.operations(doc)
	}
	w.value("", doc, 0)
	for name, set := range w.sets {
		f[name] = strings.Join(slices.Sorted(maps.Keys(set)), ",")
	}
}

// decode reads one JSON document in which no name is there twice: readers differ about which one counts.
func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one document")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	delim, ok := t.(json.Delim)
	if err != nil || !ok {
		return t, err
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("nested too deep")
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	m := map[string]any{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := k.(string)
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("a name is there twice")
		}
		if m[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return m, err
}

// walker finds what matters wherever it stands, since pods are within templates of resources that nobody here knows.
type walker struct {
	features map[string]any
	sets     map[string]map[string]bool
}

func (w *walker) add(feature, value string) {
	if w.sets[feature] == nil {
		w.sets[feature] = map[string]bool{}
	}
	w.sets[feature][value] = true
}

func (w *walker) value(name string, v any, depth int) {
	if v == nil || depth > maxDepth*2 {
		return
	}
	switch x := v.(type) {
	case map[string]any:
		for k, inner := range x {
			w.value(k, inner, depth+1)
		}
	case []any:
		for _, inner := range x {
			w.value(name, inner, depth+1)
		}
	}
	w.member(name, v)
}

// member is one member that says something.
func (w *walker) member(name string, v any) {
	text, _ := v.(string)
	if text == masked || text == masked64 {
		w.features[FeatureMaskedValue] = true
	}
	switch name {
	case "hostPath":
		w.features[FeatureHostPath] = true
	case "privileged", "allowPrivilegeEscalation":
		if v == true {
			w.features[FeaturePrivileged] = true
		}
	case "capabilities":
		if m, ok := v.(map[string]any); ok && m["add"] != nil {
			w.features[FeaturePrivileged] = true
		}
	case "hostNetwork", "hostPID", "hostIPC", "hostUsers":
		if (v == true) != (name == "hostUsers") {
			w.features[FeatureHostSpace] = true
		}
	case "image":
		if text != "" {
			w.add(FeatureImage, text)
		}
	case "serviceAccountName", "serviceAccount":
		if text != "" {
			w.add(FeatureService, text)
		}
	case "secretKeyRef", "secretRef", "secret", "imagePullSecrets":
		if m, ok := v.(map[string]any); ok {
			w.secret(m)
		}
	case "ephemeralContainers":
		w.features[FeatureEphemeral] = true
	case "type":
		if text == "kubernetes.io/service-account-token" {
			w.features[FeatureCredentials] = true
		}
	}
}

// What a mask leaves of a text (mask.Hidden), also in base64.
const (
	masked   = "[redacted]"
	masked64 = "W3JlZGFjdGVkXQ=="
)

func (w *walker) secret(m map[string]any) {
	for _, k := range []string{"name", "secretName"} {
		if s, ok := m[k].(string); ok {
			w.add(FeatureSecretUse, s)
		}
	}
}

// operations are those of a JSON patch as a document of what they set.
func (w *walker) operations(doc any) any {
	list, ok := doc.([]any)
	if !ok {
		w.features[action.FeatureUnparsed] = true
		return nil
	}
	var out []any
	for _, one := range list {
		m, _ := one.(map[string]any)
		op, _ := m["op"].(string)
		path, isPath := m["path"].(string)
		switch {
		case !isPath || len(path) > maxPath || strings.Count(path, "/") > maxDepth:
			w.features[action.FeatureUnparsed] = true
		case op == "add" || op == "replace":
			out = append(out, nest(path, m["value"]))
		case op == "remove":
		default: // copy, move, test
			w.features[FeatureOpaquePatch] = true
		}
	}
	return out
}

// nest puts a value under the members of a JSON pointer; an index stands for an element of the list above it.
func nest(path string, v any) any {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i > 0; i-- {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
		if _, err := strconv.Atoi(name); err == nil || name == "-" {
			v = []any{v}
			continue
		}
		v = map[string]any{name: v}
	}
	return v
}

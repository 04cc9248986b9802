package kube

import (
	"bytes"
	"maps"
	"mime"
	"slices"
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
	if a.Features[FeaturePatch] == "apply" || c.Verb == "update" && c.putCreates() { // what is not there it makes
		a.Verbs = append(a.Verbs, "create")
		slices.Sort(a.Verbs)
	}
	return a
}

// putCreates reports whether a PUT makes an object that is not there: the kinds whose strategy in the API server (Kubernetes 1.37,
// pkg/registry, AllowCreateOnUpdate) says so. Of custom resources none does.
func (c *Call) putCreates() bool {
	if c.Subresource != "" {
		return false
	}
	switch c.Group + "/" + c.Resource {
	case "/services", "/endpoints", "/events", "/limitranges", "events.k8s.io/events", "coordination.k8s.io/leases", "coordination.k8s.io/leasecandidates",
		"node.k8s.io/runtimeclasses", "rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/rolebindings",
		"rbac.authorization.k8s.io/clusterroles", "rbac.authorization.k8s.io/clusterrolebindings":
		return true
	}
	return false
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
	if c.Path != "" { // /debug/flags/v and the like
		f[FeatureExtends] = true
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
	if c.Verb == "delete" || c.Verb == "deletecollection" { // DeleteOptions, which count in the place of the query's
		delete(f, FeatureDryRun)
		m, _ := doc.(map[string]any)
		if all, _ := m["dryRun"].([]any); len(all) > 0 {
			f[FeatureDryRun] = true
		}
	}
	w := &walker{features: f, sets: map[string]map[string]bool{}, ingress: c.Group == "networking.k8s.io" && c.Resource == "ingresses"}
	if patch == "json" {
		doc = w.operations(doc)
	}
	w.value("", doc, 0)
	for name, set := range w.sets {
		f[name] = strings.Join(slices.Sorted(maps.Keys(set)), ",")
	}
}

package http

import (
	nethttp "net/http"
	"strings"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
)

// A masked value can be guessed where the API server tells whether a guess is right: a selector chooses by it, an apply is in
// conflict only with another value, and what cannot be changed can be set to what it is. Such requests are refused;
// what a dry run tells of it in other ways is masked (dryRunTells).

var dryRunTells = mask.Spec{Name: "kube-dry-run", Way: mask.WayNull, JSON: []string{"$.metadata.generation", "$.metadata.managedFields"}}

// probe refuses what would tell masked values.
func (s *stream) probe() *problem {
	if s.call == nil || s.call.Path != "" || s.plan == nil {
		return nil
	}
	no := func(detail, hint string) *problem {
		return &problem{Status: nethttp.StatusForbidden, Code: "masked_probe", Rule: "kube.probe", Detail: detail, Hint: hint, status: "blocked"}
	}
	c := s.call
	if c.Subresource == "log" && c.LimitBytes && s.plan.HasText() {
		return no("limitBytes cuts values where no mask knows them.", "Use tailLines.")
	}
	if !s.plan.HasJSON() {
		return nil
	}
	m := member{s.plan.Paths()}
	for _, term := range kube.SelectedLabels(c.LabelSelector) {
		if m.inObjects("metadata", "labels", term) {
			return no("The label "+term+" is masked, so nothing is chosen by it.", "")
		}
	}
	for _, term := range kube.SelectedFields(c.FieldSelector) {
		if m.inObjects(strings.Split(term, ".")...) {
			return no("The field "+term+" is masked, so nothing is chosen by it.", "")
		}
	}
	apply := strings.HasPrefix(strings.ToLower(s.fields.Get("content-type")), "application/apply-patch")
	fixed := c.Subresource == "" && (c.Kind() == "pods" || c.Kind() == "jobs.batch") && (c.Verb == "patch" || c.Verb == "update")
	if !fixed && (!apply || c.Force) {
		return nil
	}
	for _, doc := range kube.Documents(s.fields.Get("content-type"), s.kept) {
		switch {
		case !m.has(doc, m.root(), 0):
		case fixed:
			return no("It gives a value that is masked and cannot be changed: the answer would tell whether it is right.", "Leave it out, or delete the object and make it anew.")
		default:
			return no("It gives a value that is masked: a conflict would tell whether it is right.", "Take the fields over: kubectl apply --server-side --force-conflicts.")
		}
	}
	return nil
}

// member looks for what a plan's JSON paths name.
type member struct{ paths *mask.Paths }

func (m member) root() mask.Place {
	at := make(mask.Place, m.paths.Words())
	m.paths.Root(at)
	return at
}

// inObjects reports whether a member of an object is masked, wherever answers have objects.
func (m member) inObjects(names ...string) bool {
	for _, around := range [][]string{nil, {"items", ""}, {"object"}, {"rows", "", "object"}, {"object", "rows", "", "object"}} {
		at, masked := m.root(), false
		for _, name := range append(around, names...) {
			to, by := make(mask.Place, m.paths.Words()), mask.Named{}
			if name == "" {
				by = m.paths.Element(at, to, 0)
			} else {
				by = m.paths.Member(at, to, []byte(name))
			}
			at, masked = to, masked || by.Set()
		}
		if masked {
			return true
		}
	}
	return false
}

// has reports whether a document has a masked value that says anything.
func (m member) has(v any, at mask.Place, depth int) bool {
	if depth > maxProbe {
		return true
	}
	to := make(mask.Place, m.paths.Words())
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			if m.paths.Member(at, to, []byte(name)).Set() && inner != nil || m.has(inner, to, depth+1) {
				return true
			}
		}
	case []any:
		for i, inner := range x {
			if m.paths.Element(at, to, i).Set() && inner != nil || m.has(inner, to, depth+1) {
				return true
			}
		}
	}
	return false
}

// maxProbe bounds how deep a document is looked through; kube.Documents has none that is deeper.
const maxProbe = 256

// configured reports whether masks by path are in force that are not built in, whose fields no column of a table shows.
func configured(specs []mask.Spec) bool {
	for _, spec := range specs {
		switch spec.Name {
		case "kube-secrets", "kube-tokens", "kube-env", "kube-last-applied", "kube-managed-fields":
			continue
		}
		if len(spec.JSON) > 0 {
			return true
		}
	}
	return false
}

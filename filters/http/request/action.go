package request

import (
	"maps"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// Action is what policy judges. b is the request's body, nil when there is
// none or when it is not judged.
func (r *Request) Action(b *Body) action.Action {
	a := action.Action{
		Kind:      action.KindHTTP,
		Verbs:     []string{strings.ToLower(r.Method)},
		Reads:     []action.Object{},
		Writes:    []action.Object{},
		Functions: []action.Function{},
		Features:  maps.Clone(r.Features),
		Text:      r.Method + " " + r.Target(),
	}
	object := action.Object{Schema: r.Authority, Name: r.Path, Columns: []string{}, Resolved: true}
	if r.Safe() {
		a.Reads = append(a.Reads, object)
	} else {
		a.Writes = append(a.Writes, object)
	}
	a.Features["host"] = r.Authority
	a.Params = make([]action.Param, 0, len(r.Query)+len(r.selected))
	a.Params = appendParams(a.Params, "query/", r.Query)
	a.Params = appendParams(a.Params, "header/", r.selected)
	if b != nil {
		a.Params = appendParams(a.Params, "body/", b.Fields)
		maps.Copy(a.Features, b.Features)
	}
	a.Fingerprint = r.fingerprint()
	return a
}

func appendParams(to []action.Param, under string, pairs []Pair) []action.Param {
	for _, p := range pairs {
		to = append(to, action.Param{Name: under + p.Name, Value: p.Value})
	}
	return to
}

// fingerprint is the method, the host, the path's template and the names of the query's parameters.
func (r *Request) fingerprint() string {
	if len(r.Query) == 0 {
		s := r.Method + " " + r.Authority + r.Template
		return s[:min(len(s), 512)]
	}
	names := make([]string, 0, len(r.Query))
	for _, p := range r.Query {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	s := r.Method + " " + r.Authority + r.Template
	if len(names) > 0 {
		s += "?" + strings.Join(names, "&")
	}
	return s[:min(len(s), 512)]
}

package request

import (
	"strings"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
)

// Masked is an action as the record keeps it: parameters masked by their names (the
// last part of "body/user/ssn"), and by the detectors, as is the text. What is judged, held and
// approved is the action itself. n counts what was masked.
func Masked(plan *mask.Plan, a action.Action) (out action.Action, n int) {
	if !plan.HasFields() && !plan.HasText() {
		return a, 0
	}
	v := plan.Values()
	out = a
	out.Params = append([]action.Param(nil), a.Params...)
	if out.Params == nil {
		out.Params = []action.Param{}
	}
	for i := range out.Params {
		p := &out.Params[i]
		name := p.Name[strings.LastIndexByte(p.Name, '/')+1:]
		text, _, hits := v.Text(nil, plan.Field(name), []byte(name), []byte(p.Value))
		if hits > 0 {
			hidden := p.Value
			p.Value = string(text)
			if a.Kind == action.KindMCPTool && hidden != "" { // the text of a call quotes its arguments
				out.Text = strings.ReplaceAll(out.Text, hidden, p.Value)
			}
			n += hits
		}
	}
	if text, _, hits := v.Text(nil, mask.Named{}, nil, []byte(out.Fingerprint)); hits > 0 {
		out.Fingerprint = string(text)
	}
	method, target, isHTTP := strings.Cut(out.Text, " ")
	if a.Kind != action.KindHTTP || !isHTTP {
		text, _, hits := v.Text(nil, mask.Named{}, nil, []byte(out.Text))
		if hits > 0 {
			out.Text = string(text)
		}
		return out, n + hits
	}
	target, hits := header.Target(plan, target)
	out.Text = method + " " + target
	for _, list := range []*[]action.Object{&out.Reads, &out.Writes} {
		*list = append([]action.Object{}, *list...)
		for i := range *list {
			name, found := header.Target(plan, (*list)[i].Name)
			(*list)[i].Name = name
			n += found
		}
	}
	return out, n + hits
}

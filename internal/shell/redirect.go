package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// redirect says whether it feeds the command's input.
func (a *analysis) redirect(r *syntax.Redirect) (feeds, ok bool) {
	a.set(FeatureRedirect)
	if r.Hdoc != nil {
		a.set(FeatureHeredoc)
		if !a.node(r.Hdoc) {
			return false, false
		}
	}
	if !a.node(r.Word) {
		return false, false
	}
	switch r.Op {
	case syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		a.set(FeatureHeredoc)
		return true, true
	}
	w := a.word(r.Word)
	if r.Op == syntax.DplIn || r.Op == syntax.DplOut {
		if w.text == "-" || digits(strings.TrimSuffix(w.text, "-")) {
			return r.Op == syntax.DplIn, true
		}
	}
	if strings.HasPrefix(w.text, "/dev/tcp/") || strings.HasPrefix(w.text, "/dev/udp/") || !w.known && strings.Contains(w.text, "/dev/") {
		a.set(FeatureOnward, action.FeatureOpaque)
	}
	switch r.Op {
	case syntax.RdrIn, syntax.DplIn:
		a.unknown(w)
		a.read(w.place())
		return true, true
	case syntax.RdrInOut:
		a.unknown(w)
		a.read(w.place())
		a.write(w.place())
		return true, true
	}
	a.unknown(w)
	a.write(w.place())
	return false, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

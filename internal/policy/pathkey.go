package policy

import (
	"slices"

	"github.com/gobwas/glob"

	"dragoman.dev/dragoman/internal/action"
)

// pathKey stands, in the key of a verdict on an HTTP request, for the path: which of the
// policy's globs match it. Paths that no rule and no mask can tell apart have one verdict,
// so that a verdict is not sought anew for every customer of /customers/{n}. nil where names of
// objects are looked at in any other way.
type pathKey struct{ globs []*glob.Pattern }

// maxPathGlobs bounds what is matched for a key; with more, paths are keys themselves.
const maxPathGlobs = 256

// newPathKey collects the globs of a bundle's rules and masks. They are matched as library.rego
// does it, by the library that OPA's glob.match uses.
func newPathKey(data map[string]any, r refs) *pathKey {
	if r.objects {
		return nil
	}
	dragoman, _ := data[reservedKey].(map[string]any)
	var patterns []string
	for _, rule := range listOf(dragoman["rules"]) {
		when, _ := rule["when"].(map[string]any)
		kinds := textsOf(when["kinds"])
		named, _ := when["tables"].([]any)
		columns, _ := when["columns"].([]any)
		if len(named)+len(columns) > 0 && (len(kinds) == 0 || slices.Contains(kinds, action.KindHTTP)) {
			return nil
		}
		patterns = append(patterns, textsOf(when["paths"])...)
	}
	for _, m := range listOf(dragoman["masks"]) {
		patterns = append(patterns, textsOf(m["paths"])...)
	}
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	if len(patterns) > maxPathGlobs {
		return nil
	}
	p := &pathKey{}
	for _, pattern := range patterns {
		g, err := glob.Compile(pattern, '/')
		if err != nil {
			return nil
		}
		p.globs = append(p.globs, g)
	}
	return p
}

func listOf(v any) (out []map[string]any) {
	l, _ := v.([]any)
	for _, x := range l {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func textsOf(v any) (out []string) {
	l, _ := v.([]any)
	for _, x := range l {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// stands reports whether it stands for the paths of an action.
func (p *pathKey) stands(a *action.Action) bool { return p != nil && a.Kind == action.KindHTTP }

// append appends what stands for a name, one bit a glob.
func (p *pathKey) append(b []byte, name string) []byte {
	for i := 0; i < len(p.globs); i += 8 {
		var bits byte
		for k, g := range p.globs[i:min(i+8, len(p.globs))] {
			if g.Match(name) {
				bits |= 1 << k
			}
		}
		b = append(b, bits)
	}
	return b
}

package shell

import (
	"path"
	"slices"
	"strings"
)

// folder is where relative paths begin: "" is the login's home, "?" is not known.
type folder struct {
	at string
	// others are where it may be as well, because a cd may have failed.
	others []string
}

// maxFolders bounds the others.
const maxFolders = 16

func (f folder) same(o folder) bool { return f.at == o.at && slices.Equal(f.others, o.others) }

// unknownFolder is one that nothing is known about.
var unknownFolder = folder{at: "?"}

// paths makes paths of a word: what is relative is so to each folder that may be the working one.
func (a *analysis) relative(p string) []string {
	if p == "" || p[0] == '/' || strings.HasPrefix(p, "~") || strings.HasPrefix(p, "?/") {
		return []string{a.path(p, a.cwd.at)}
	}
	out := []string{a.path(p, a.cwd.at)}
	for _, at := range a.cwd.others {
		if o := a.path(p, at); !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// path makes a path of a word: what is relative is so to the folder at, which begins at the login's home ("~").
func (a *analysis) path(p, at string) string {
	switch {
	case p == "":
		return ""
	case strings.HasPrefix(p, "/"):
		return path.Clean(p)
	case strings.HasPrefix(p, "?/"):
		return p
	case strings.HasPrefix(p, "~"):
		if out := path.Clean(p); strings.HasPrefix(out, "~") && !strings.Contains(p, "..") {
			return out
		}
		a.set(FeatureUnknownPath)
		return "?/" + path.Clean(p)
	case at == "?":
		a.set(FeatureUnknownPath)
		return "?/" + path.Clean(p)
	case at == "" || strings.HasPrefix(at, "~"):
		out := path.Join(at, p)
		if at == "" {
			out = path.Join("~", p)
		}
		if out != "~" && !strings.HasPrefix(out, "~/") { // above the home, wherever that is
			a.set(FeatureUnknownPath)
			return "?/" + out
		}
		return out
	}
	return path.Join(at, p)
}

// chdir follows cd, which may fail: then the folder stays the one before.
func (a *analysis) chdir(args []word) {
	was := a.cwd
	switch {
	case len(args) == 0:
		a.cwd.at = ""
	case len(args) > 1 || !args[0].known || args[0].text == "-" || !strings.HasPrefix(args[0].text, "/") && (was.at == "?" || len(was.others) > 0):
		a.cwd = unknownFolder
		return
	default:
		a.cwd.at = a.path(args[0].text, was.at)
	}
	if len(was.others) >= maxFolders {
		a.cwd = unknownFolder
		return
	}
	if a.cwd.at != was.at {
		a.cwd.others = append(slices.Clone(was.others), was.at)
	}
}

// aside does something in a shell of its own, whose working folder does not come back.
func (a *analysis) aside(f func() bool) bool {
	was := a.cwd
	defer func() { a.cwd = was }()
	return f()
}

package policy

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

func (w When) aboutKube() bool {
	return len(w.Resources)+len(w.Namespaces)+len(w.Names)+len(w.URLs) > 0
}

// validateKube says what is wrong with what is of Kubernetes, or "".
func (w When) validateKube() string {
	switch {
	case !w.aboutKube():
		return ""
	case slices.ContainsFunc(w.Kinds, func(k string) bool { return k != action.KindKube }):
		return "resources, namespaces, names and urls are of the kind kube only"
	case len(w.URLs) > 0 && len(w.Resources)+len(w.Namespaces)+len(w.Names) > 0:
		return "urls are paths that are not of resources: write two rules"
	case w.aboutHTTP() || w.aboutTools() || len(w.Commands)+len(w.Paths)+len(w.Tables)+len(w.Columns)+len(w.Functions) > 0:
		return "resources, namespaces, names and urls are of Kubernetes: write two rules"
	}
	for _, r := range w.Resources {
		if r == "" || r != strings.ToLower(r) || strings.HasPrefix(r, "/") || strings.Count(r, "/") > 1 {
			return "resources: \"" + r + "\" is not in the form pods, pods/log or deployments.apps"
		}
	}
	for _, u := range w.URLs {
		if msg := validPath(u); msg != "" {
			return "urls: " + strings.TrimPrefix(msg, "paths: ")
		}
	}
	return ""
}

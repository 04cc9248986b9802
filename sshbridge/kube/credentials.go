package kube

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
)

// credentials marks a command that shows what a pod was given to keep: its service account's token, and variables, which calls
// get masked. As with all of a command that is judged, it is what the words say; whoever means to can say it in others.
func credentials(act *action.Action) {
	var programs []string
	for _, f := range act.Functions {
		programs = append(programs, f.Name[strings.LastIndexByte(f.Name, '/')+1:])
	}
	last := len(programs) - 1
	lists := slices.Contains(programs, "printenv") || last >= 0 && programs[last] == "env" || slices.Contains(programs, "env") && act.Features["pipe"] != nil
	whole := slices.ContainsFunc(programs, func(p string) bool { return slices.Contains([]string{"tar", "cp", "grep", "rsync", "find"}, p) })
	for _, o := range act.Reads {
		lists = lists || keeps(o.Name) || whole && slices.Contains([]string{"", "/run", "/var", "/var/run"}, strings.TrimRight(o.Name, "/"))
	}
	if lists {
		act.Features[kube.FeatureCredentials] = true
	}
}

// keeps reports whether a path is one of credentials.
func keeps(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "var" {
		parts = parts[1:]
	}
	if len(parts) > 1 && parts[0] == "run" && parts[1] == "secrets" {
		return true
	}
	return len(parts) > 2 && parts[0] == "proc" && parts[len(parts)-1] == "environ"
}

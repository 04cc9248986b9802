package shell

import "dragoman.dev/dragoman/internal/action"

// pagers show what they say with a pager on a terminal, which runs what is typed behind "!".
var pagers = words("journalctl loginctl timedatectl hostnamectl localectl coredumpctl busctl networkctl resolvectl bootctl")

// gitPages are git's commands that do.
var gitPages = words("log diff show branch tag reflog shortlog blame stash describe help remote config add commit")

// OnTerminal marks what opens a pager or an editor when it has a terminal: what is typed there is no line of a shell.
func OnTerminal(a *action.Action) {
	paged := false
	for i := range a.Functions {
		f := &a.Functions[i]
		if pagers[f.Name] {
			f.Opaque, paged = true, true
		}
	}
	for i, p := range a.Params {
		if p.Name != "git" || i > 0 && a.Params[i-1].Name == "git" || !gitPages[p.Value] {
			continue
		}
		paged = true
	}
	if !paged {
		return
	}
	a.Features[action.FeatureOpaque] = true
	for i := range a.Functions {
		if f := &a.Functions[i]; f.Name == "git" {
			f.Opaque = true
		}
	}
}

package kube

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/shell"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// call is the request as one of the API: who may do this to which pod, whatever the command.
func (s *stream) call() action.Action {
	act := gate.Plain(action.KindKube, "create", s.r.Method+" "+s.req.Path())
	act.Writes = append(act.Writes, action.Object{Schema: "pods/" + s.req.Subresource, Name: s.req.Namespace + "/" + s.req.Pod, Columns: []string{}, Resolved: true})
	act.Fingerprint = "create pods/" + s.req.Subresource
	return act
}

// action is what a request would do, and the digest that an approval of it is bound to.
func (s *stream) action() (action.Action, string) {
	r := &s.req
	var act action.Action
	switch {
	case r.Subresource == kube.PortForward:
		act = gate.Plain(action.KindForward, "connect", "port-forward "+r.Namespace+"/"+r.Pod)
	case r.Subresource == kube.Attach:
		act = gate.Plain(action.KindExec, "attach", "attach "+r.Namespace+"/"+r.Pod)
		if r.Stdin { // what reads it is not known
			act.Features[action.FeatureOpaque] = true
		}
	case r.Stdin && isShell(r.Command):
		act = gate.Plain(action.KindShell, "shell", "interactive shell "+commandLine(r.Command))
		if !r.TTY {
			act.Text = "shell without a terminal " + commandLine(r.Command)
		}
	default:
		act = shell.Analyse(action.KindExec, commandLine(r.Command))
		credentials(&act)
	}
	if r.TTY {
		act.Features["pty"] = true
		if act.Kind == action.KindExec {
			shell.OnTerminal(&act)
		}
	}
	for _, p := range [][2]string{{"namespace", r.Namespace}, {"pod", r.Pod}, {"container", r.Container}} {
		if p[1] != "" {
			act.Params = append(act.Params, action.Param{Name: p[0], Value: p[1]})
		}
	}
	return act, gate.Digest("kube", r.Path(), r.Query())
}

// shells read commands from their standard input when they are given none.
var shells = []string{"sh", "bash", "ash", "dash", "ksh", "zsh"}

// isShell reports whether a command is a shell that reads what is typed, and nothing else.
func isShell(command []string) bool {
	name := command[0]
	for _, dir := range []string{"/bin/", "/usr/bin/"} {
		name = strings.TrimPrefix(name, dir)
	}
	if !slices.Contains(shells, name) {
		return false
	}
	for _, arg := range command[1:] {
		if !slices.Contains([]string{"-i", "-l", "-il", "-li", "--login", "-s"}, arg) {
			return false
		}
	}
	return true
}

// commandLine is a command as a shell would have to be told it: what runs is a list of words, without a shell.
func commandLine(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if w != "" && !strings.ContainsFunc(w, func(r rune) bool { return !plainRune(r) }) {
			b.WriteString(w)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(w, "'", `'\''`) + "'")
	}
	return b.String()
}

// plainRune reports whether a shell takes a character for itself, wherever it stands.
func plainRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:@%+", r)
}

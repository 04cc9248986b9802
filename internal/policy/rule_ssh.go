package policy

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// sshKinds are those of SSH sessions whose actions have paths.
var sshKinds = []string{action.KindExec, action.KindShell, action.KindSFTP}

// aboutSSH reports whether all kinds of the rule are of SSH, so that its paths are those of files.
func (w When) aboutSSH() bool {
	return len(w.Commands) > 0 || len(w.Kinds) > 0 && !slices.ContainsFunc(w.Kinds, func(k string) bool { return !slices.Contains(sshKinds, k) })
}

// aboutForward reports whether the rule is of forwarded connections alone, so that its paths are HOST:PORT.
func (w When) aboutForward() bool {
	return len(w.Kinds) > 0 && !slices.ContainsFunc(w.Kinds, func(k string) bool { return k != action.KindForward })
}

// validDestination says what is wrong with a path that is HOST:PORT, or "".
func validDestination(p string) string {
	at := strings.LastIndexByte(p, ':')
	if at < 1 || at == len(p)-1 || strings.Trim(p[at+1:], "0123456789*?") != "" || strings.ContainsAny(p, "#\\/ ") || p != strings.ToLower(p) {
		return "paths: \"" + p + "\" is not HOST:PORT in lower case, as paths of forwarded connections are; * is any text"
	}
	return ""
}

// commandKinds are those of a rule about commands.
func (w When) commandKinds() []string {
	if len(w.Kinds) == 0 {
		return []string{action.KindExec, action.KindShell}
	}
	return w.Kinds
}

// validateSSH says what is wrong with what is of SSH, or "".
func (w When) validateSSH() string {
	switch {
	case len(w.Commands) > 0 && (w.aboutTools() || len(w.Methods)+len(w.Query)+len(w.Headers)+len(w.Body)+len(w.Tables)+len(w.Columns) > 0):
		return "commands are of the kinds exec and shell only"
	case len(w.Commands) > 0 && slices.ContainsFunc(w.Kinds, func(k string) bool { return k != action.KindExec && k != action.KindShell }):
		return "commands are of the kinds exec and shell only"
	}
	for _, c := range w.Commands {
		if c == "" || strings.ContainsAny(c, " \t") {
			return "commands: \"" + c + "\" is not a program's name; a line with arguments is not one, paths says which files"
		}
	}
	return ""
}

// reasonsSSH are the dangers' reasons and hints where commands are meant.
var reasonsSSH = map[string][2]string{
	action.FeatureUnparsed: {"the command cannot be read, so nothing is known about it", "write plain POSIX shell, without control characters"},
	action.FeatureOpaque:   {"it runs a program whose effects cannot be seen in the command", "use plain commands instead of interpreters, editors and connections to other machines"},
	action.FeatureDynamic:  {"it runs code that cannot be seen", "write the command itself, without eval, source and variables for commands"},
	action.FeatureRole:     {"it acts as another user", "open a session as somebody who may do this"},
}

// words are a danger's reason and hint for an action.
func (d danger) words(a *action.Action) (reason, hint string) {
	if a.Kind == action.KindKube && d.feature == action.FeatureUnparsed {
		return "its body is not one JSON document that can be judged", "send JSON, as kubectl apply -f does; typed clients send protobuf unless they are told otherwise"
	}
	if slices.Contains(sshKinds, a.Kind) {
		if w, ok := reasonsSSH[d.feature]; ok {
			return w[0], w[1]
		}
	}
	return d.reason, d.hint
}

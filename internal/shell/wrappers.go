package shell

import (
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// wrapper runs the command that its arguments end with.
type wrapper struct {
	takes  string   // letters of options in front that have a value
	long   []string // long options that do
	skip   int      // operands before the command
	opaque bool     // it changes what the command's names mean
	strict bool     // with options it is not looked through: where the command begins depends on them
}

var wrappers = map[string]wrapper{
	"nohup": {}, "setsid": {}, "command": {}, "builtin": {},
	"nice":            {takes: "n", long: []string{"adjustment"}},
	"ionice":          {takes: "cnpPu", long: []string{"class", "classdata", "pid", "pgid", "uid"}},
	"timeout":         {takes: "ks", long: []string{"kill-after", "signal"}, skip: 1},
	"stdbuf":          {takes: "ioe", long: []string{"input", "output", "error"}},
	"time":            {takes: "fo", long: []string{"format", "output"}},
	"systemd-cat":     {takes: "tp", long: []string{"identifier", "priority", "stderr-priority", "level-prefix", "namespace"}},
	"systemd-inhibit": {long: []string{"what", "who", "why", "mode"}},
	"taskset":         {skip: 1, strict: true}, "chrt": {skip: 1, strict: true}, "setarch": {skip: 1, strict: true},
	"linux64": {strict: true}, "linux32": {strict: true}, "catchsegv": {strict: true}, "unbuffer": {strict: true},
	"numactl": {strict: true}, "cpulimit": {strict: true}, "prlimit": {strict: true}, "choom": {strict: true},
	"chroot": {skip: 1, opaque: true}, "unshare": {opaque: true}, "nsenter": {takes: "tSG", opaque: true},
	"flock": {takes: "wE", skip: 1, opaque: true}, "setpriv": {opaque: true}, "dbus-run-session": {opaque: true},
	"fakeroot": {opaque: true}, "proot": {opaque: true}, "start-stop-daemon": {opaque: true},
}

func (w wrapper) run(a *analysis, name string, args []word) bool {
	options, rest := leading(args, w.takes, w.long...)
	a.program(name, w.opaque || w.strict && len(options) > 0)
	a.paths(args[:len(args)-len(rest)], true)
	return a.run(rest[min(w.skip, len(rest)):])
}

func env(a *analysis, name string, args []word) bool {
	options, rest := leading(args, "uCSa", "unset", "chdir", "split-string", "argv0")
	for _, o := range options {
		if long := strings.HasPrefix(o.text, "--"); long && strings.HasPrefix(o.text, "--s") || !long && strings.Contains(o.text, "S") {
			a.program(name, true)
			a.set(action.FeatureDynamic)
			return true
		}
	}
	a.program(name, false)
	for _, o := range options {
		if strings.HasPrefix(o.text, "--c") || !strings.HasPrefix(o.text, "--") && strings.Contains(o.text, "C") {
			was := a.cwd
			defer func() { a.cwd = was }()
			a.cwd = unknownFolder
		}
	}
	for len(rest) > 0 && strings.Contains(rest[0].text, "=") {
		n, _, _ := strings.Cut(rest[0].text, "=")
		a.environment(n)
		if !rest[0].known {
			a.set(FeatureEnvironment)
		}
		rest = rest[1:]
	}
	return a.run(rest)
}

// xargs: -e, -i, -l and their long names have a value only when it is attached.
func xargs(a *analysis, name string, args []word) bool {
	options, rest := leading(args, "aEILnPsd", "arg-file", "delimiter", "max-args", "max-chars", "max-procs", "process-slot-var")
	a.program(name, false)
	a.paths(options, false)
	for _, w := range args[:len(args)-len(rest)] {
		if !strings.HasPrefix(w.text, "-") && !digits(w.text) {
			a.read(w.place()) // -a's file
		}
	}
	if len(rest) == 0 {
		return true
	}
	a.set(FeatureExpansion, FeatureUnknownPath) // its arguments are not in the line
	if placeholder(rest[0].text) {
		a.set(action.FeatureDynamic)
	}
	n := programName(rest[0].text)
	if _, isShell := shells[n]; isShell { // what is read becomes part of the script, or its arguments
		a.set(action.FeatureDynamic)
	}
	return a.run(append(rest[:len(rest):len(rest)], word{text: "?/*", many: true}))
}

package shell

import (
	"regexp"
	"strings"
	"sync/atomic"

	"dragoman.dev/dragoman/internal/action"
)

// table has the programs whose arguments say more than which files they touch.
type table map[string]func(a *analysis, name string, args []word) bool

// made is the one table, once it was needed. (Its functions refer to it, so it cannot be a variable's initial value.)
var made atomic.Pointer[table]

func programs() table {
	if t := made.Load(); t != nil {
		return *t
	}
	t := makeTable()
	made.Store(&t)
	return t
}

func makeTable() table {
	m := table{
		"cd": cd, "pushd": cd, "popd": cd,
		"eval": dynamic, "alias": dynamic, "unalias": dynamic, ".": source1, "source": source1, "trap": trap, "fc": dynamic,
		"env": env, "sudo": sudo, "doas": sudo, "pkexec": sudo, "su": su, "runuser": su,
		"xargs": xargs, "parallel": opaque1, "find": find, "fd": opaque1, "busybox": applet, "toybox": applet,
		"sed": sed, "awk": awk, "mawk": awk, "nawk": awk, "gawk": awk, "tar": tar, "dd": dd, "sort": sort, "grep": grep, "egrep": grep, "fgrep": grep, "zgrep": grep, "rg": grep, "ag": grep, "rsync": rsync, "scp": scp, "git": git,
		"curl": curl, "wget": wget, "zip": opaque1, "split": opaque1, "enable": opaque1, "complete": opaque1, "compgen": opaque1, "bind": opaque1,
		"mapfile": opaque1, "readarray": opaque1, "openssl": opaque1, "export": export, "declare": export, "typeset": export, "local": export, "readonly": export,
		"read": setter, "getopts": setter, "unset": setter,
		"hash": hash, "exec": wrapper{takes: "a"}.run, "xxd": xxd, "patch": opaque1, "printf": printf,
	}
	for _, n := range strings.Fields("sh bash dash ash zsh ksh ksh93 mksh rbash fish csh tcsh yash posh") {
		m[n] = shellProgram
	}
	for _, n := range strings.Fields("ssh slogin rsh rlogin rexec telnet mosh sftp autossh sshpass nc ncat netcat socat cryptcat") {
		m[n] = connects
	}
	for n, w := range map[string]wrapper{
		"nohup": {}, "setsid": {}, "nice": {takes: "n"}, "ionice": {takes: "cnpPu"}, "timeout": {takes: "ks", skip: 1}, "stdbuf": {takes: "ioe"},
		"time": {takes: "fo"}, "command": {}, "builtin": {}, "chroot": {skip: 1, opaque: true}, "unshare": {opaque: true}, "nsenter": {takes: "tSG", opaque: true},
		"flock": {takes: "wE", skip: 1, opaque: true}, "taskset": {skip: 1}, "chrt": {takes: "TPD", skip: 1}, "numactl": {takes: "NCmpi"}, "setpriv": {opaque: true},
		"setarch": {skip: 1}, "linux64": {}, "linux32": {}, "catchsegv": {}, "unbuffer": {}, "systemd-cat": {takes: "tp"}, "systemd-inhibit": {}, "dbus-run-session": {},
		"fakeroot": {opaque: true}, "proot": {opaque: true}, "start-stop-daemon": {opaque: true}, "cpulimit": {takes: "lpe"}, "prlimit": {}, "choom": {takes: "np"},
	} {
		m[n] = w.run
	}
	return m
}

// wrapper runs the command that its arguments end with.
type wrapper struct {
	takes  string // options in front that have a value
	skip   int    // operands before the command
	opaque bool   // it changes what the command's names mean
}

func (w wrapper) run(a *analysis, name string, args []word) bool {
	a.program(name, w.opaque)
	_, rest := leading(args, w.takes, nil)
	a.paths(args[:len(args)-len(rest)], true)
	return a.run(rest[min(w.skip, len(rest)):])
}

func cd(a *analysis, name string, args []word) bool {
	a.program(name, false)
	ops, _ := operands(args, "", nil)
	if name != "cd" {
		a.cwd = unknownFolder
		return true
	}
	a.chdir(ops)
	return true
}

func dynamic(a *analysis, name string, args []word) bool {
	if name == "alias" && len(args) == 0 {
		a.program(name, false)
		return true
	}
	a.set(action.FeatureDynamic)
	a.program(name, true)
	if name == "eval" { // what can be seen is shown, too
		a.nested(joined(args))
	}
	return true
}

// nested analyses text that is run; what cannot be told is noted.
func (a *analysis) nested(w word) bool {
	if !w.known {
		a.set(action.FeatureDynamic)
		return true
	}
	if !a.script(w.text, a.depth+1) {
		a.set(action.FeatureUnparsed)
	}
	return true
}

func joined(args []word) word {
	out := word{known: true}
	for i, w := range args {
		if i > 0 {
			out.text += " "
		}
		out.text += w.text
		out.known = out.known && w.known
	}
	return out
}

func source1(a *analysis, name string, args []word) bool {
	a.set(action.FeatureDynamic)
	a.program(name, true)
	for _, w := range args[:min(1, len(args))] {
		a.unknown(w)
		a.read(w.place())
	}
	return true
}

func trap(a *analysis, name string, args []word) bool {
	a.program(name, false)
	ops, _ := operands(args, "", nil)
	if len(ops) < 2 || ops[0].text == "-" || ops[0].text == "" {
		return true
	}
	return a.nested(ops[0])
}

func opaque1(a *analysis, name string, args []word) bool {
	a.program(name, true)
	a.paths(args, true)
	return true
}

func connects(a *analysis, name string, args []word) bool {
	a.set(FeatureOnward)
	a.program(name, true)
	a.paths(args, true)
	return true
}

// shellProgram is a shell: what -c gives it is analysed, anything else is not seen.
func shellProgram(a *analysis, name string, args []word) bool {
	foreign := name == "fish" || strings.HasSuffix(name, "csh") // not the grammar that is read here
	for i, w := range args {
		if !w.known {
			a.set(action.FeatureDynamic)
			a.program(name, true)
			return true
		}
		if len(w.text) > 1 && w.text[0] == '-' && w.text[1] != '-' && strings.Contains(w.text, "c") || w.text == "--command" {
			inline := strings.Trim(w.text, "-abefhkmnptuvxBCEHPTcl") == "" && !strings.ContainsAny(w.text, "si") && i+1 < len(args)
			a.program(name, foreign || !inline)
			if i+1 < len(args) {
				was := a.stdin
				defer func() { a.stdin = was }()
				return a.nested(args[i+1])
			}
			return true
		}
		if w.text == "--version" || w.text == "--help" {
			a.program(name, false)
			return true
		}
		if w.text == "-" || w.text == "" || w.text[0] != '-' && w.text[0] != '+' {
			a.read(w.place())
			break
		}
	}
	a.program(name, true)
	return true
}

func env(a *analysis, name string, args []word) bool {
	for i, w := range args {
		if strings.HasPrefix(w.text, "-S") || strings.HasPrefix(w.text, "--split-string") || strings.HasPrefix(w.text, "-") && !strings.HasPrefix(w.text, "--") && strings.Contains(w.text, "S") && i == 0 {
			a.program(name, true)
			a.set(action.FeatureDynamic)
			return true
		}
		if w.text == "" || w.text[0] != '-' {
			break
		}
	}
	a.program(name, false)
	options, rest := leading(args, "uC", map[string]bool{"--unset": true, "--chdir": true})
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

func sudo(a *analysis, name string, args []word) bool {
	a.set(action.FeatureRole)
	options, rest := leading(args, "ugCDhpRrtTUa", map[string]bool{"--user": true, "--group": true, "--host": true, "--prompt": true, "--chdir": true, "--chroot": true})
	a.program(name, false)
	for _, o := range options {
		if !strings.HasPrefix(o.text, "--") && strings.ContainsAny(o.text, "sie") || o.text == "--shell" || o.text == "--login" || o.text == "--edit" || strings.HasPrefix(o.text, "--ch") {
			a.program(name, true)
		}
	}
	for len(rest) > 0 && strings.Contains(rest[0].text, "=") && !strings.HasPrefix(rest[0].text, "/") {
		n, _, _ := strings.Cut(rest[0].text, "=")
		a.environment(n)
		rest = rest[1:]
	}
	return a.run(rest)
}

func su(a *analysis, name string, args []word) bool {
	a.set(action.FeatureRole)
	for i, w := range args {
		if w.text == "-c" || w.text == "--command" {
			a.program(name, false)
			if i+1 < len(args) {
				return a.nested(args[i+1])
			}
		}
	}
	a.program(name, true)
	return true
}

func xargs(a *analysis, name string, args []word) bool {
	options, rest := leading(args, "aEeIiLlnPsd", map[string]bool{"--arg-file": true, "--delimiter": true, "--max-args": true, "--max-procs": true, "--replace": true, "--max-lines": true})
	a.program(name, false)
	a.paths(options, false)
	a.paths(args[:len(args)-len(rest)], false)
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

var shells = words("sh bash dash ash zsh ksh ksh93 mksh rbash fish csh tcsh yash posh env sudo su xargs eval")

func placeholder(s string) bool { return strings.Contains(s, "{}") || strings.Contains(s, "%") }

// findOptions come before the places: which links are followed, what find says about itself.
var findOptions = regexp.MustCompile(`^-([HLP]|D|O[0-9]*)$`)

// find: its tests and actions come behind the places that it goes through.
func find(a *analysis, name string, args []word) bool {
	a.program(name, false)
	i := 0
	for i < len(args) && findOptions.MatchString(args[i].text) {
		if i++; args[i-1].text == "-D" {
			i++
		}
	}
	i = min(i, len(args))
	first := i
	for ; i < len(args) && !strings.HasPrefix(args[i].text, "-") && args[i].text != "(" && args[i].text != "!"; i++ {
		a.unknown(args[i])
		a.read(args[i].place())
	}
	places := args[first:i]
	if len(places) == 0 {
		places = []word{{text: ".", known: true}}
		a.read(".")
	}
	for ; i < len(args); i++ {
		switch s := args[i].text; {
		case !args[i].known && !args[i].many:
			a.set(action.FeatureDynamic)
		case s == "-delete":
			for _, p := range places {
				a.write(p.place())
			}
			a.program("find -delete", false)
		case s == "-files0-from":
			a.program(name, true)
		case s == "-fprint" || s == "-fprint0" || s == "-fls" || s == "-fprintf":
			if i+1 < len(args) {
				a.write(args[i+1].place())
			}
		case s == "-exec" || s == "-execdir" || s == "-ok" || s == "-okdir":
			end := i + 1
			for end < len(args) && args[end].text != ";" && !(args[end].text == "+" && args[end-1].text == "{}") {
				end++
			}
			cmd := append([]word(nil), args[i+1:end]...)
			for k := range cmd {
				if placeholder(cmd[k].text) {
					if k == 0 {
						a.set(action.FeatureDynamic)
					}
					cmd[k] = word{text: strings.ReplaceAll(cmd[k].text, "{}", "?/*"), many: true}
					a.set(FeatureUnknownPath)
				}
			}
			if len(cmd) > 0 && shells[programName(cmd[0].text)] {
				a.set(action.FeatureDynamic)
			}
			for _, p := range places { // whatever the command does, it does to these
				cmd = append(cmd, word{text: p.place() + "/**", many: true, glob: true})
			}
			if !a.run(cmd) {
				return false
			}
			i = end
		}
	}
	return true
}

func applet(a *analysis, name string, args []word) bool {
	a.program(name, false)
	if len(args) > 0 && strings.HasPrefix(args[0].text, "-") {
		return true
	}
	return a.run(args)
}

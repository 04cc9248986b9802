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
		"chmod": attributes, "chown": attributes, "chgrp": attributes, "chattr": attributes, "setfacl": attributes, "setcap": attributes, "chcon": attributes,
		"mapfile": opaque1, "readarray": opaque1, "openssl": opaque1, "export": export, "declare": export, "typeset": export, "local": export, "readonly": export,
		"read": setter, "getopts": setter, "unset": setter, "let": let, "ln": ln, "link": ln, "uniq": uniq, "shuf": shuf,
		"hash": hash, "exec": wrapper{takes: "a"}.run, "xxd": xxd, "patch": opaque1, "printf": printf,
	}
	for _, n := range strings.Fields("sh bash dash ash zsh ksh ksh93 mksh rbash fish csh tcsh yash posh") {
		m[n] = shellProgram
	}
	for _, n := range strings.Fields("ssh slogin rsh rlogin rexec telnet mosh sftp autossh sshpass nc ncat netcat socat cryptcat") {
		m[n] = connects
	}
	for n := range asked {
		m[n] = asks
	}
	for n, w := range wrappers {
		m[n] = w.run
	}
	return m
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

func sudo(a *analysis, name string, args []word) bool {
	a.set(action.FeatureRole)
	options, rest := leading(args, "ugCDhpRrtTUa", "user", "group", "host", "prompt", "chdir", "chroot", "close-from", "role", "type", "command-timeout", "other-user", "login-class")
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
	option := len(args) > 0 && strings.HasPrefix(args[0].text, "-")
	a.program(name, option && args[0].text != "--list" && args[0].text != "--help")
	if option {
		a.paths(args, true)
		return true
	}
	return a.run(args)
}

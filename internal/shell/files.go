package shell

import (
	"path"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// abbreviates reports whether s is a shortened form of one of the options.
func abbreviates(s string, options ...string) bool {
	s, _, _ = strings.Cut(s, "=")
	for _, o := range options {
		if len(s) > 3 && strings.HasPrefix(o, s) {
			return true
		}
	}
	return false
}

func dd(a *analysis, name string, args []word) bool {
	a.program(name, false)
	for _, w := range args {
		a.unknown(w)
		k, v, _ := strings.Cut(w.text, "=")
		if !w.known {
			v = w.place()
		}
		if k == "if" || !w.known {
			a.read(v)
		}
		if k == "of" || !w.known {
			a.write(v)
		}
	}
	return true
}

// scp: -t and -f are what a client's scp runs here, to write and to read.
func scp(a *analysis, name string, args []word) bool {
	to, from := false, false
	ops, options := operands(args, "cFiJloPSDX", nil)
	for _, o := range options {
		to = to || strings.Contains(o, "t")
		from = from || strings.Contains(o, "f")
	}
	if !to && !from {
		a.set(FeatureOnward)
	}
	a.program(name, !to && !from)
	for _, w := range ops {
		a.unknown(w)
		if !to {
			a.read(w.place())
		}
		if !from {
			a.write(w.place())
		}
	}
	return true
}

var plainGit = words("status log diff show branch rev-parse ls-files ls-tree describe blame remote tag fetch pull push add commit checkout switch restore merge reset init clone cat-file shortlog reflog stash rm mv")

func git(a *analysis, name string, args []word) bool {
	opaque := len(args) > 0 && !plainGit[args[0].text] && args[0].text != "--version"
	for _, w := range args {
		s := w.text
		opaque = opaque || !w.known && strings.HasPrefix(s, "-") ||
			abbreviates(s, "--upload-pack", "--receive-pack", "--exec", "--ext-diff", "--textconv", "--config", "--config-env", "--exec-path", "--template", "--open-files-in-pager") ||
			s == "-c" || s == "-u" || s == "-O" || s == "-x" || strings.HasPrefix(s, "ext::") || strings.HasPrefix(s, "-c")
	}
	a.program(name, opaque)
	a.paths(args, true)
	a.here(len(args) == 0 || !gitReads[args[0].text])
	return true
}

// gitReads are git's commands that change nothing.
var gitReads = words("status log diff show rev-parse ls-files ls-tree describe blame cat-file shortlog")

// attributes are changed of all operands but what says how: a mode, an owner, or what begins with + or =.
func attributes(a *analysis, name string, args []word) bool {
	takes := ""
	if name == "setfacl" {
		takes = "mx"
	}
	ops, options := operands(args, takes, nil)
	how := 1
	for _, o := range options {
		if strings.HasPrefix(o, "--") && abbreviates(o, "--reference") || name == "chmod" && !strings.HasPrefix(o, "--") && strings.ContainsAny(o, "rwxXst") {
			how = 0 // it is in an option
		}
	}
	if name != "chmod" && name != "chown" && name != "chgrp" {
		how = 0
	}
	a.program(name, false)
	for _, o := range options {
		a.paths([]word{{text: o, known: true}}, false)
	}
	for i, w := range ops {
		if i < how && !strings.Contains(w.text, "/") || name == "chattr" && len(w.text) > 0 && (w.text[0] == '+' || w.text[0] == '=') {
			continue
		}
		a.unknown(w)
		a.write(w.place())
	}
	return true
}

// ln: a symbolic link leads to where its text says from its own folder.
func ln(a *analysis, name string, args []word) bool {
	ops, options := operands(args, "S", nil)
	symbolic := false
	for _, o := range options {
		symbolic = symbolic || abbreviates(o, "--symbolic") || !strings.HasPrefix(o, "--") && strings.Contains(o, "s")
		a.paths([]word{{text: o, known: true}}, true)
	}
	a.program(name, false)
	a.paths(consumed(args, "S"), true)
	for i, w := range ops {
		a.unknown(w)
		if i > 0 && i == len(ops)-1 {
			a.write(w.place())
			continue
		}
		a.read(w.place())
		if len(ops) == 1 {
			a.write(".")
		}
		if symbolic && !strings.HasPrefix(w.text, "/") {
			if strings.Contains(w.text, "..") {
				a.set(FeatureUnknownPath)
				a.read("?/" + w.text)
			} else if last := ops[len(ops)-1]; len(ops) > 1 {
				a.read(path.Join(path.Dir(last.place()), w.text))
				a.read(path.Join(last.place(), w.text))
			}
		}
	}
	return true
}

// asked are programs that show something of the machine or the network, with the letters of their options that name files.
var asked = map[string]string{"date": "fr", "hostname": "F", "dmesg": "FK", "ss": "DF", "pgrep": "F", "lsof": "D", "lspci": "Fi", "journalctl": "D", "mcookie": "f", "sar": "of",
	"dig": "fk", "tput": "", "vmstat": "", "lastlog": "R"}

// asks is one of them. Its operands are files only where they look like paths.
func asks(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, asked[name])
	a.program(name, false)
	for _, o := range options {
		if o.has {
			a.value(o, true, true)
		}
	}
	a.paths(ops, true)
	return true
}

// shuf reads its operands, unless they are what it shuffles.
func shuf(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "ino", "input-range", "head-count", "output", "random-source")
	a.program(name, false)
	for _, o := range options {
		switch o.name {
		case "o", "output":
			a.value(o, false, true)
		case "random-source":
			a.value(o, true, false)
		}
	}
	for _, w := range ops {
		a.unknown(w)
		a.read(w.place())
	}
	return true
}

// uniq writes its second operand.
func uniq(a *analysis, name string, args []word) bool {
	a.program(name, false)
	ops, options := operands(args, "fsw", nil)
	for _, o := range options {
		a.paths([]word{{text: o, known: true}}, false)
	}
	for i, w := range ops {
		a.unknown(w)
		if i == 0 {
			a.read(w.place())
		} else {
			a.write(w.place())
		}
	}
	return true
}

func export(a *analysis, name string, args []word) bool {
	a.program(name, false)
	for _, w := range args {
		n, _, _ := strings.Cut(w.text, "=")
		a.environment(n)
		if !w.known {
			a.set(FeatureEnvironment)
		}
		if strings.HasPrefix(n, "-") && strings.ContainsAny(n, "fni") { // functions, names of other variables, values that are arithmetic
			a.set(action.FeatureDynamic)
		}
	}
	return true
}

func hash(a *analysis, name string, args []word) bool {
	opaque := false
	for _, w := range args {
		opaque = opaque || strings.HasPrefix(w.text, "-") && strings.Contains(w.text, "p")
	}
	a.program(name, opaque)
	return true
}

// xxd -r writes its second operand.
func xxd(a *analysis, name string, args []word) bool {
	a.program(name, false)
	ops, _ := operands(args, "clsgo", nil)
	for i, w := range ops {
		a.unknown(w)
		if i == 0 {
			a.read(w.place())
		} else {
			a.write(w.place())
		}
	}
	return true
}

// setter is a builtin that sets the variables that it is given the names of.
func setter(a *analysis, name string, args []word) bool {
	a.program(name, false)
	for _, w := range args {
		a.environment(w.text)
		a.counted(w.text, nil)
	}
	return true
}

// printf -v sets a variable, whose index may hold a substitution.
func printf(a *analysis, name string, args []word) bool {
	a.program(name, false)
	if len(args) > 1 && args[0].text == "-v" {
		a.arithm = true
		a.environment(args[1].text)
	}
	for _, w := range args {
		if w.glob {
			a.read(w.place())
		}
	}
	return true
}

package shell

import (
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
		if strings.HasPrefix(n, "-") && strings.ContainsAny(n, "fn") { // functions, names of other variables
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

package shell

import (
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

func tar(a *analysis, name string, args []word) bool {
	opaque, create := false, false
	for i, w := range args {
		s := w.text
		for _, bad := range []string{"--checkpoint-action", "--to-command", "--use-compress-program", "--rsh-command", "--rmt-command", "--info-script", "--new-volume-script", "-I", "-F"} {
			opaque = opaque || strings.HasPrefix(s, bad)
		}
		if strings.HasPrefix(s, "--") && abbreviates(s, "--checkpoint-action", "--to-command", "--use-compress-program", "--rsh-command", "--info-script") {
			opaque = true
		}
		if i == 0 || strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "--") {
			create = create || strings.ContainsAny(s, "cr")
			opaque = opaque || i == 0 && strings.ContainsAny(s, "IF") || strings.HasPrefix(s, "-") && strings.ContainsAny(s, "IF")
		}
	}
	a.program(name, opaque)
	for i, w := range args {
		if i == 0 && !strings.HasPrefix(w.text, "-") || strings.HasPrefix(w.text, "-") && !strings.Contains(w.text, "=") {
			continue
		}
		_, v, ok := strings.Cut(w.text, "=")
		if !ok || !strings.HasPrefix(w.text, "-") {
			v = w.text
		}
		a.unknown(w)
		a.read(v)
		a.write(v) // an archive, or where it is unpacked to
	}
	if !create {
		a.write(".")
	}
	return true
}

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
		switch k, v, _ := strings.Cut(w.text, "="); k {
		case "if":
			a.unknown(w)
			a.read(v)
		case "of":
			a.unknown(w)
			a.write(v)
		}
	}
	return true
}

func sort(a *analysis, name string, args []word) bool {
	ops, options := operands(args, "ktSTo", map[string]bool{"--output": true, "--compress-program": true})
	opaque := false
	for i, w := range args {
		opaque = opaque || abbreviates(w.text, "--compress-program", "--files0-from")
		if (w.text == "-o" || w.text == "--output") && i+1 < len(args) {
			a.write(args[i+1].text)
		}
	}
	for _, o := range options {
		if v, ok := strings.CutPrefix(o, "--output="); ok {
			a.write(v)
		} else if strings.HasPrefix(o, "-o") && len(o) > 2 {
			a.write(o[2:])
		}
	}
	a.program(name, opaque)
	a.paths(consumed(args, "ktSTo"), true)
	for _, w := range ops {
		a.unknown(w)
		a.read(w.text)
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
			a.read(w.text)
		}
		if !from {
			a.write(w.text)
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

func fetch(a *analysis, name string, args []word) bool {
	a.program(name, false)
	for i, w := range args {
		s := w.text
		if (s == "-o" || s == "-O" || s == "--output" || s == "--output-document" || s == "-T" || s == "--upload-file" || s == "-D" || s == "-c" || s == "--cookie-jar" || s == "-P") && i+1 < len(args) {
			a.unknown(args[i+1])
			a.write(args[i+1].text)
			a.read(args[i+1].text)
		}
		if (s == "-d" || s == "--data" || strings.HasPrefix(s, "--data") || s == "-F" || s == "--form") && i+1 < len(args) {
			if _, f, ok := strings.Cut(args[i+1].text, "@"); ok {
				a.read(f)
			}
		}
		if s == "-K" || s == "--config" || abbreviates(s, "--use-askpass", "--config") {
			a.program(name, true)
		}
		if v, ok := strings.CutPrefix(s, "file:"); ok {
			a.read("/" + strings.TrimLeft(v, "/"))
		}
		if !strings.Contains(s, "://") {
			a.paths(args[i:i+1], true)
		}
	}
	a.set(FeatureNetwork)
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
			a.read(w.text)
		} else {
			a.write(w.text)
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
	return true
}

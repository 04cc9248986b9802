package shell

import (
	"regexp"
	"strings"
)

// harmlessSed is a script without what runs a program (e), or reads and writes files (r, w).
var harmlessSed = regexp.MustCompile(`^(([0-9]+|\$|/[^/\\]*/)(,([0-9]+|\$|/[^/\\]*/))?[ ]*)?!?[ ]*(p|d|q|=|s([|#,/@])[^|#,/@\n\\]*[|#,/@][^|#,/@\n\\]*[|#,/@][gpiI0-9]*)$`)

func sed(a *analysis, name string, args []word) bool {
	ops, options := operands(args, "efl", map[string]bool{"--expression": true, "--file": true})
	var scripts []word
	inplace := false
	for i, w := range args {
		switch s := w.text; {
		case (s == "-e" || s == "--expression") && i+1 < len(args):
			scripts = append(scripts, args[i+1])
		case strings.HasPrefix(s, "--expression="):
			scripts = append(scripts, word{text: s[len("--expression="):], known: w.known})
		}
	}
	opaque := false
	for _, o := range options {
		inplace = inplace || strings.HasPrefix(o, "--in-place") || !strings.HasPrefix(o, "--") && strings.Contains(o, "i")
		opaque = opaque || strings.HasPrefix(o, "--file") || !strings.HasPrefix(o, "--") && (strings.Contains(o, "f") || strings.Contains(o, "e") && !strings.HasSuffix(o, "e"))
	}
	if len(scripts) == 0 && len(ops) > 0 {
		scripts, ops = ops[:1], ops[1:]
	}
	for _, s := range scripts {
		for _, part := range strings.Split(s.text, ";") {
			if part = strings.TrimSpace(part); part != "" && (!s.known || !harmlessSed.MatchString(part)) {
				opaque = true
			}
		}
	}
	a.program(name, opaque)
	for _, w := range ops {
		a.unknown(w)
		a.read(w.place())
		if inplace {
			a.write(w.place())
		}
	}
	return true
}

func awk(a *analysis, name string, args []word) bool {
	ops, options := operands(args, "Fvfe", map[string]bool{"--assign": true, "--field-separator": true, "--file": true})
	opaque := name == "gawk" && len(options) > 0
	for _, o := range options {
		opaque = opaque || !strings.HasPrefix(o, "-F") && !strings.HasPrefix(o, "-v")
	}
	if len(ops) > 0 {
		s := ops[0]
		opaque = opaque || !s.known || strings.ContainsAny(s.text, "|>@") || strings.Contains(s.text, "system") || strings.Contains(s.text, "getline") || strings.Contains(s.text, "ARGV") || strings.Contains(s.text, "close")
		ops = ops[1:]
	}
	a.program(name, opaque)
	for _, w := range ops {
		a.unknown(w)
		a.read(w.place())
	}
	return true
}

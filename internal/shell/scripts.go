package shell

import (
	"regexp"
	"strings"
)

// harmlessSed is a script without what runs a program (e), or reads and writes files (r, w).
var harmlessSed = regexp.MustCompile(`^(([0-9]+|\$|/[^/\\]*/)(,([0-9]+|\$|/[^/\\]*/))?[ ]*)?!?[ ]*(p|d|q|=|s([|#,/@])[^|#,/@\n\\]*[|#,/@][^|#,/@\n\\]*[|#,/@][gpiI0-9]*)$`)

// sed: its first operand is the script, unless an option gives one.
func sed(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "efl", "expression", "file", "line-length")
	var scripts []word
	inplace, opaque := false, false
	for _, o := range options {
		switch {
		case o.name == "e" || o.name == "expression":
			scripts = append(scripts, o.value)
		case o.name == "f" || o.name == "file":
			opaque = true
			a.value(o, true, false)
		case o.name == "i" || abbreviates("--"+o.name, "--in-place"):
			inplace = true
		}
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
		opaque = opaque || !s.known || strings.ContainsAny(s.text, "|>@") || strings.Contains(s.text, "system") || strings.Contains(s.text, "getline") || strings.Contains(s.text, "ARGV") || strings.Contains(s.text, "SYMTAB") || strings.Contains(s.text, "FUNCTAB") || strings.Contains(s.text, "close")
		ops = ops[1:]
	}
	a.program(name, opaque)
	for _, w := range ops {
		a.unknown(w)
		a.read(w.place())
	}
	return true
}

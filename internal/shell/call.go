package shell

import (
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// call is a simple command.
func (a *analysis) call(c *syntax.CallExpr) bool {
	for _, as := range c.Assigns {
		if !a.assign(as) {
			return false
		}
	}
	var argv []word
	for _, w := range c.Args {
		if !a.node(w) {
			return false
		}
		argv = append(argv, a.fields(w)...)
	}
	if len(argv) == 0 {
		return true
	}
	a.clauses++
	return a.run(argv)
}

// run says what a command with its arguments does.
func (a *analysis) run(argv []word) bool {
	if len(argv) == 0 {
		return true
	}
	if a.nodes++; a.nodes > maxNodes {
		return false
	}
	if !argv[0].known || argv[0].text == "" {
		a.set(action.FeatureDynamic)
		a.program(clip(argv[0].text), true)
		a.paths(argv[1:], true)
		return true
	}
	name := programName(argv[0].text)
	args := argv[1:]
	a.params(name, args)
	if p, ok := programs()[name]; ok {
		return p(a, name, args)
	}
	if list, ok := listed(name); ok {
		list.apply(a, name, args)
		return true
	}
	a.program(name, strings.Contains(name, "/")) // a program in a folder of somebody's can be anything
	a.paths(args, true)
	a.here(true)
	return true
}

// here says that a program may touch what is in the folder that cd has led to: which of its words are names of files is not known.
func (a *analysis) here(writes bool) {
	if a.cwd.at == "" && len(a.cwd.others) == 0 || a.cwd.at == "?" && a.act.Kind == action.KindShell {
		return
	}
	a.read(".")
	if writes {
		a.write(".")
	}
}

// systemDirs hold what a name without a folder means.
var systemDirs = words("/bin /usr/bin /sbin /usr/sbin /usr/local/bin /usr/local/sbin")

// programName is a program's name; with its folder where that is not the system's.
func programName(s string) string {
	if !strings.Contains(s, "/") {
		return clip(s)
	}
	s = path.Clean(s)
	if systemDirs[path.Dir(s)] {
		return clip(path.Base(s))
	}
	if !strings.Contains(s, "/") {
		s = "./" + s
	}
	return clip(s)
}

func clip(s string) string {
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "")
	}
	return s
}

func (a *analysis) params(name string, args []word) {
	for _, w := range args {
		if len(a.act.Params) >= maxParams {
			return
		}
		a.act.Params = append(a.act.Params, action.Param{Name: name, Value: w.text})
	}
}

// paths takes arguments that look like paths for what is read and, unless the program is known to read
// only, written.
func (a *analysis) paths(args []word, writes bool) {
	for _, w := range args {
		p := w.text
		if !w.known && !w.glob {
			a.unknown(w)
			a.read(w.place())
			if writes {
				a.write(w.place())
			}
			continue
		}
		if strings.HasPrefix(p, "-") || strings.Contains(p, "=") {
			_, v, ok := strings.Cut(p, "=")
			if !ok {
				if i := strings.IndexByte(p, '/'); i > 0 { // -f/etc/passwd
					v = p[i:]
				}
			}
			p = v
		}
		if p == "" || !strings.ContainsAny(p, "/") && !strings.HasPrefix(p, ".") && !strings.HasPrefix(p, "~") {
			continue
		}
		a.unknown(w)
		a.read(p)
		if writes {
			a.write(p)
		}
	}
}

// unknown notes a path that is not what it says.
func (a *analysis) unknown(w word) {
	if !w.known {
		a.set(FeatureUnknownPath)
	}
}

// operands are the arguments that are no options. takes are the single-letter options that have a value, which is
// no operand; long options have theirs after "=", or are in long.
func operands(args []word, takes string, long map[string]bool) (out []word, options []string) {
	for i := 0; i < len(args); i++ {
		s := args[i].text
		switch {
		case s == "--":
			return append(out, args[i+1:]...), options
		case len(s) < 2 || s[0] != '-':
			out = append(out, args[i])
		case strings.HasPrefix(s, "--"):
			options = append(options, s)
			if long[s] {
				i++
			}
		default:
			options = append(options, s)
			if k := strings.IndexAny(s[1:], takes); takes != "" && k >= 0 && k+2 == len(s) {
				i++
			}
		}
	}
	return out, options
}

// consumed are the values that operands takes for those of options.
func consumed(args []word, takes string) (out []word) {
	for i := 0; i < len(args); i++ {
		s := args[i].text
		if s == "--" {
			return out
		}
		if len(s) < 2 || s[0] != '-' || strings.HasPrefix(s, "--") {
			continue
		}
		if k := strings.IndexAny(s[1:], takes); takes != "" && k >= 0 && k+2 == len(s) {
			if i++; i < len(args) {
				out = append(out, args[i])
			}
		}
	}
	return out
}

// leading are the options in front and the command behind them: sudo -u x ls -l. takes are the letters that have a value, long the names that
// do; names may be shortened.
func leading(args []word, takes string, long ...string) (options []word, rest []word) {
	i := 0
	for ; i < len(args); i++ {
		s := args[i].text
		if !args[i].known || s == "--" || len(s) < 2 || s[0] != '-' {
			if s == "--" {
				options = append(options, args[i])
				i++
			}
			break
		}
		options = append(options, args[i])
		if strings.HasPrefix(s, "--") {
			if !strings.Contains(s, "=") && needs(whole(s[2:], long), long) {
				i++
			}
			continue
		}
		if k := strings.IndexAny(s[1:], takes); takes != "" && k >= 0 && k+2 == len(s) {
			i++
		}
	}
	return options, args[min(i, len(args)):]
}

package shell

import "strings"

// option is one option of a command, as getopt_long would give it.
type option struct {
	name  string // a letter, or the whole long name
	value word
	has   bool // a value was given
}

// getopt splits arguments into options and operands. takes are the letters that need a value, long the names that do; names may
// be shortened.
func getopt(args []word, takes string, long ...string) (options []option, operands []word) {
	for i := 0; i < len(args); i++ {
		w := args[i]
		s := w.text
		switch {
		case s == "--":
			return options, append(operands, args[i+1:]...)
		case len(s) < 2 || s[0] != '-':
			operands = append(operands, w)
		case strings.HasPrefix(s, "--"):
			name, value, has := strings.Cut(s[2:], "=")
			o := option{name: whole(name, long), value: word{text: value, known: w.known, glob: w.glob}, has: has}
			if !has && needs(o.name, long) && i+1 < len(args) {
				i++
				o.value, o.has = args[i], true
			}
			options = append(options, o)
		default:
			i += letters(&options, args[i:], takes)
		}
	}
	return options, operands
}

// letters adds the options of a cluster, and reports whether it took the next argument for a value.
func letters(options *[]option, args []word, takes string) (next int) {
	s := args[0].text
	for k := 1; k < len(s); k++ {
		o := option{name: s[k : k+1]}
		if strings.IndexByte(takes, s[k]) >= 0 {
			o.has, o.value = true, word{text: s[k+1:], known: args[0].known, glob: args[0].glob}
			if k+1 == len(s) {
				o.has, o.value = len(args) > 1, word{known: true}
				if o.has {
					o.value, next = args[1], 1
				}
			}
			k = len(s)
		}
		*options = append(*options, o)
	}
	return next
}

// whole is the long name that a shortened one stands for; the first, when there are several.
func whole(name string, long []string) string {
	for _, l := range long {
		if l == name {
			return l
		}
	}
	for _, l := range long {
		if len(name) > 1 && strings.HasPrefix(l, name) {
			return l
		}
	}
	return name
}

func needs(name string, long []string) bool {
	for _, l := range long {
		if l == name {
			return true
		}
	}
	return false
}

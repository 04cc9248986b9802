package shell

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// word is what can be told of a word.
type word struct {
	text  string // quotes removed; as it is written when it is not known
	known bool   // text is what the program gets
	many  bool   // it may become several words (a pattern, a variable without quotes), or none
	glob  bool   // it is a pattern that stays below the folders that it names
}

// place is the word as a path: one that the line does not tell begins with "?/".
func (w word) place() string {
	if w.known || w.glob || strings.HasPrefix(w.text, "?/") {
		return w.text
	}
	return "?/" + w.text
}

var (
	// dotGlob is a pattern that may match "..".
	dotGlob = regexp.MustCompile(`(^|/)[.][^/]*[*?[]`)
	// subscript is an index with a substitution in it, which test -v, read, unset and others run.
	subscript = regexp.MustCompile("[A-Za-z0-9_]\\[[^]]*([$]\\(|`)")
)

var errUnseen = errors.New("not seen")

// word reads a word. Braces are looked at in fields.
func (a *analysis) word(w *syntax.Word) word {
	if w == nil {
		return word{known: true}
	}
	if opaque(w) {
		return word{text: source(w), many: true}
	}
	text, err := expand.Literal(blind(), w)
	if err != nil {
		return word{text: source(w), many: true}
	}
	if pattern(w) {
		a.set(FeatureGlob)
		return word{text: text, many: true, glob: !dotGlob.MatchString(text)}
	}
	if subscript.MatchString(text) {
		a.set(action.FeatureDynamic)
	}
	return word{text: text, known: true}
}

// fields are the words that an argument becomes.
func (a *analysis) fields(w *syntax.Word) []word {
	if opaque(w) {
		return []word{a.word(w)}
	}
	cp := *w
	syntax.SplitBraces(&cp)
	out := []word{}
	for e, err := range expand.BracesSeq(blind(), &cp) {
		if err != nil || len(out) >= maxObjects {
			a.set(action.FeatureUnparsed)
			break
		}
		out = append(out, a.word(e))
	}
	return out
}

// blind expands nothing that depends on a machine.
func blind() *expand.Config {
	return &expand.Config{Env: expand.ListEnviron("HOME=~"), CmdSubst: func(io.Writer, *syntax.CmdSubst) error { return errUnseen },
		ProcSubst: func(*syntax.ProcSubst) (string, error) { return "", errUnseen }}
}

// opaque reports whether the word depends on more than its text.
func opaque(w *syntax.Word) bool {
	found := false
	syntax.Walk(w, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.ParamExp, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp, *syntax.ExtGlob:
			found = true
		}
		return !found
	})
	return found
}

// pattern reports whether the word has a pattern over file names outside of quotes.
func pattern(w *syntax.Word) bool {
	if w.Lit() == "[" { // the command
		return false
	}
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			for i := 0; i < len(l.Value); i++ {
				switch l.Value[i] {
				case '\\':
					i++
				case '*', '?', '[':
					return true
				}
			}
		}
	}
	return false
}

// source is the word as it is written, without quotes where they are all that hides it.
func source(w *syntax.Word) string {
	var b strings.Builder
	if err := syntax.NewPrinter().Print(&b, w); err != nil {
		return "?"
	}
	return strings.NewReplacer(`"`, "", `'`, "").Replace(b.String())
}

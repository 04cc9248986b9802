// Package shell reads command lines as a POSIX shell or bash would and says what they do, as
// an action: which programs run with which arguments, which files are read and written as far as
// the words say, and what cannot be seen. It runs nothing and asks no file system.
//
// It is an analysis of text: what a program does with its input is its own affair. What
// runs code that is not in the line (interpreters, editors with a shell, eval, ssh onward) is marked
// opaque or dynamic, which policy blocks unless a rule lets it through.
package shell

import (
	"slices"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// Features of commands beside those of package action.
const (
	FeaturePipe         = "pipe"         // commands are joined by a pipe
	FeatureSubstitution = "substitution" // $(…), `…`, <(…)
	FeatureExpansion    = "expansion"    // a word depends on variables
	FeatureGlob         = "glob"         // a word is a pattern over file names
	FeatureBackground   = "background"   // something goes on after the command
	FeatureHeredoc      = "heredoc"      // input is in the command
	FeatureRedirect     = "redirect"     // input or output goes elsewhere
	FeatureEnvironment  = "environment"  // sets a variable that changes what programs do
	FeatureNetwork      = "network"      // speaks to the network
	FeatureOnward       = "onward"       // connects to another machine
	FeatureUnknownPath  = "unknown_path" // a path that the line alone does not tell
	FeatureControl      = "control"      // loops, conditions, functions
)

// Bounds. A command that is over one of them is taken as one that cannot be parsed.
const (
	MaxCommand = 64 << 10 // bytes
	maxNesting = 400      // brackets of all kinds that are open at a time, at most
	maxDepth   = 8        // commands within strings within commands
	maxNodes   = 50_000   // of the syntax tree, all depths together
	maxParams  = 512
	maxObjects = 512
)

// Analyse says what a command line does. kind is action.KindExec, or action.KindShell for
// a line of an interactive shell.
func Analyse(kind, command string) action.Action {
	a := &analysis{act: action.Action{Kind: kind, Verbs: []string{}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{}, Features: map[string]any{}, Text: command, Params: []action.Param{}}}
	if kind == action.KindShell {
		a.cwd = unknownFolder // lines before this one may have changed it
	}
	if !a.script(command, 0) {
		a.act.Functions = []action.Function{}
		a.act.Reads, a.act.Writes, a.act.Params = []action.Object{}, []action.Object{}, []action.Param{}
		a.act.Features = map[string]any{action.FeatureUnparsed: true}
	}
	if kind == action.KindShell && history(command) {
		a.set(action.FeatureDynamic)
	}
	a.finish()
	return a.act
}

// Incomplete reports whether a shell would ask for another line before it runs anything of text.
func Incomplete(text string) bool {
	if len(text) > MaxCommand || !plainText(text) || nesting(text) > maxNesting {
		return false
	}
	_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text+"\n"), "")
	return err != nil && syntax.IsIncomplete(err)
}

// analysis gathers what a command does.
type analysis struct {
	act     action.Action
	nodes   int
	cwd     folder
	depth   int
	stdin   int  // how many pipes or here-documents feed the command that is looked at
	quoted  bool // a string has what would be a substitution elsewhere
	arithm  bool
	clauses int // simple commands

	given map[string]bool // variables that are set: to numbers only?
	names map[string]bool // variables that arithmetic evaluates
}

// script analyses text that a shell reads; false when it cannot be told what that does.
func (a *analysis) script(text string, depth int) bool {
	if depth > maxDepth || len(text) > MaxCommand || !plainText(text) || nesting(text) > maxNesting {
		return false
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return false
	}
	was := a.depth
	a.depth = depth
	defer func() { a.depth = was }()
	return a.stmts(file.Stmts)
}

// plainText refuses what shells and our parser could read in two ways: control characters (a carriage return
// ends no line for a shell), and bytes that are no text.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// nesting bounds how deep the parser may have to go.
func nesting(s string) int {
	depth, most := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(', '{', '`', '[':
			depth++
			most = max(most, depth)
		case ')', '}', ']':
			depth = max(0, depth-1)
		}
	}
	return most
}

// history reports whether an interactive shell may replace part of the line by an earlier one.
func history(line string) bool {
	for i := range len(line) {
		if line[i] == '!' && i+1 < len(line) && !strings.ContainsRune(" \t\n=(\"", rune(line[i+1])) && (i == 0 || line[i-1] != '\\' && line[i-1] != '$' && line[i-1] != '{') {
			return true
		}
		if line[i] == '^' && i == 0 {
			return true
		}
	}
	return false
}

func (a *analysis) set(features ...string) {
	for _, f := range features {
		a.act.Features[f] = true
	}
}

// program notes that a program runs.
func (a *analysis) program(name string, opaque bool) {
	if opaque {
		a.set(action.FeatureOpaque)
	}
	for i := range a.act.Functions {
		if f := &a.act.Functions[i]; f.Name == name {
			f.Opaque = f.Opaque || opaque
			return
		}
	}
	if len(a.act.Functions) >= maxObjects {
		a.set(action.FeatureUnparsed)
		return
	}
	a.act.Functions = append(a.act.Functions, action.Function{Name: name, Opaque: opaque})
}

func (a *analysis) read(path string)  { a.object(&a.act.Reads, path) }
func (a *analysis) write(path string) { a.object(&a.act.Writes, path) }

func (a *analysis) object(to *[]action.Object, name string) {
	for _, name := range a.relative(name) {
		switch {
		case slices.ContainsFunc(*to, func(o action.Object) bool { return o.Name == name }):
		case len(*to) >= maxObjects:
			a.set(action.FeatureUnparsed)
		default:
			*to = append(*to, action.Object{Name: name, Columns: []string{}})
		}
	}
}

// finish gives the action what follows from the rest.
func (a *analysis) finish() {
	verbs := []string{"exec"}
	if len(a.act.Reads) > 0 {
		verbs = append(verbs, "read")
	}
	if len(a.act.Writes) > 0 {
		verbs = append(verbs, "write")
	}
	a.act.Verbs = verbs
	if a.clauses > 1 {
		a.act.Features[action.FeatureMulti] = true
	}
	if a.arithm && a.quoted { // an arithmetic variable may hold an index with a substitution in it
		a.set(action.FeatureDynamic)
	}
	a.expressions()
	names := make([]string, len(a.act.Functions))
	for i, f := range a.act.Functions {
		names[i] = f.Name
	}
	a.act.Fingerprint = a.act.Kind + " " + strings.Join(names, " ")
	if len(a.act.Fingerprint) > 512 {
		a.act.Fingerprint = strings.ToValidUTF8(a.act.Fingerprint[:512], "")
	}
}

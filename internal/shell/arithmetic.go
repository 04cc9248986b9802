package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// Shells that evaluate a variable in arithmetic evaluate its value as an expression, and the index of an array in it as one more,
// in which a substitution runs. So a name in an expression is as good as eval, unless the line itself gives it nothing but numbers.

// numbers are names that always hold one.
var numbers = words("# ? $ ! UID EUID PPID LINENO BASHPID")

// counted notes what an assignment gives a name.
func (a *analysis) counted(name string, value *syntax.Word) {
	if a.given == nil {
		a.given = map[string]bool{}
	}
	was, seen := a.given[name]
	a.given[name] = (was || !seen) && number(value)
}

// number reports whether a word is digits, or the value of an expression.
func number(w *syntax.Word) bool {
	if w == nil || len(w.Parts) != 1 {
		return false
	}
	switch p := w.Parts[0].(type) {
	case *syntax.Lit:
		return digits(strings.TrimPrefix(p.Value, "-"))
	case *syntax.ArithmExp:
		return true
	}
	return false
}

// expression notes the names that are evaluated.
func (a *analysis) expression(n syntax.Node) {
	if n == nil {
		return
	}
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst: // gone through on their own; what they give is evaluated
			a.set(action.FeatureDynamic)
			return false
		case *syntax.ParamExp:
			switch {
			case n.Length, n.Param != nil && numbers[n.Param.Value] && n.Exp == nil && n.Repl == nil:
			case n.Param != nil && n.Exp == nil && n.Repl == nil && n.Index == nil && n.Slice == nil && !n.Excl:
				a.evaluated(n.Param.Value)
			default:
				a.set(action.FeatureDynamic)
			}
			return false
		case *syntax.BinaryArithm:
			if n.Op == syntax.Assgn { // what a name is given is a number
				if w, ok := n.X.(*syntax.Word); ok && name(w.Lit()) {
					if _, seen := a.given[w.Lit()]; !seen {
						a.counted(w.Lit(), zero)
					}
				}
			}
		case *syntax.Word:
			if lit := n.Lit(); lit != "" {
				if !digits(lit) && !strings.HasPrefix(lit, "0x") && !strings.Contains(lit, "#") {
					a.evaluated(lit)
				}
				return false
			}
			for _, p := range n.Parts {
				switch p.(type) {
				case *syntax.SglQuoted, *syntax.Lit:
					a.set(action.FeatureDynamic)
				}
			}
		}
		return true
	})
}

var zero = &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: "0"}}}

func (a *analysis) evaluated(n string) {
	if !name(n) {
		a.set(action.FeatureDynamic)
		return
	}
	if a.names == nil {
		a.names = map[string]bool{}
	}
	a.names[n] = true
}

func name(s string) bool {
	for i := range len(s) {
		if b := s[i]; b != '_' && (b|0x20 < 'a' || b|0x20 > 'z') && (i == 0 || b < '0' || b > '9') {
			return false
		}
	}
	return s != ""
}

// expressions says whether all that was evaluated was numbers.
func (a *analysis) expressions() {
	for n := range a.names {
		if !a.given[n] && !numbers[n] {
			a.set(action.FeatureDynamic)
		}
	}
}

// let evaluates its arguments, also where the grammar does not see that it is let.
func let(a *analysis, name string, args []word) bool {
	a.set(action.FeatureDynamic)
	a.program(name, true)
	return true
}

// everything is the index of all elements, [@] or [*], which is no expression.
func everything(x syntax.ArithmExpr) bool {
	w, ok := x.(*syntax.Word)
	return ok && (w.Lit() == "@" || w.Lit() == "*")
}

// tests notes what [[ evaluates: both sides of -eq and its kin, and the index behind -v.
func (a *analysis) tests(x syntax.TestExpr) {
	switch x := x.(type) {
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
			a.expression(x.X)
			a.expression(x.Y)
			return
		}
		a.tests(x.X)
		a.tests(x.Y)
	case *syntax.UnaryTest:
		if w, ok := x.X.(*syntax.Word); ok && (x.Op == syntax.TsVarSet || x.Op == syntax.TsRefVar) && !name(w.Lit()) {
			a.set(action.FeatureDynamic)
			return
		}
		a.tests(x.X)
	case *syntax.ParenTest:
		a.tests(x.X)
	}
}

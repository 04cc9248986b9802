package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// stmts goes through commands in the order in which they are written.
func (a *analysis) stmts(list []*syntax.Stmt) bool {
	for _, s := range list {
		if !a.stmt(s) {
			return false
		}
	}
	return true
}

func (a *analysis) stmt(s *syntax.Stmt) bool {
	if a.nodes++; a.nodes > maxNodes {
		return false
	}
	if s.Background || s.Coprocess || s.Disown {
		a.set(FeatureBackground)
	}
	fed := false
	for _, r := range s.Redirs {
		in, ok := a.redirect(r)
		if !ok {
			return false
		}
		fed = fed || in
	}
	if fed {
		a.stdin++
		defer func() { a.stdin-- }()
	}
	if s.Background || s.Coprocess || s.Disown {
		return a.aside(func() bool { return a.command(s.Cmd) })
	}
	return a.command(s.Cmd)
}

// command is one of any sort.
func (a *analysis) command(c syntax.Command) bool {
	if c == nil {
		return true
	}
	if b, ok := c.(*syntax.BinaryCmd); ok {
		if b.Op != syntax.Pipe && b.Op != syntax.PipeAll {
			return a.both(b)
		}
		a.set(FeaturePipe)
		if !a.aside(func() bool { return a.stmt(b.X) }) {
			return false
		}
		a.stdin++
		defer func() { a.stdin-- }()
		return a.uncertain(func() bool { return a.stmt(b.Y) }) // in a shell of its own, or not
	}
	switch c := c.(type) {
	case *syntax.CallExpr:
		return a.call(c)
	case *syntax.Subshell: // what it does to the working folder stays in it
		return a.aside(func() bool { return a.stmts(c.Stmts) })
	case *syntax.Block:
		return a.stmts(c.Stmts)
	case *syntax.FuncDecl:
		a.set(FeatureControl)
		return a.uncertain(func() bool { return a.stmt(c.Body) })
	case *syntax.DeclClause:
		for _, as := range c.Args {
			if as.Naked && as.Value != nil { // an option
				if w := a.word(as.Value); !w.known || strings.HasPrefix(w.text, "-") && strings.ContainsAny(w.text, "nfi") {
					a.set(action.FeatureDynamic)
				}
			}
			if !a.assign(as) {
				return false
			}
		}
		a.program(c.Variant.Value, false)
		return true
	case *syntax.TimeClause:
		if c.Stmt == nil {
			return true
		}
		return a.stmt(c.Stmt)
	case *syntax.CoprocClause:
		a.set(FeatureBackground)
		return a.stmt(c.Stmt)
	}
	return a.uncertain(func() bool { return a.inside(c) })
}

// uncertain is for what may run never, or more than once: afterwards the working folder is
// known only if it has not changed.
func (a *analysis) uncertain(f func() bool) bool {
	was := a.cwd
	ok := f()
	if !a.cwd.same(was) {
		a.cwd = unknownFolder
	}
	return ok
}

// both are commands that && or || joins. Behind "cd x &&" the folder is x for certain; behind both it may be the one before.
func (a *analysis) both(b *syntax.BinaryCmd) bool {
	was := a.cwd
	if !a.stmt(b.X) {
		return false
	}
	if b.Op != syntax.AndStmt {
		return a.uncertain(func() bool { return a.stmt(b.Y) })
	}
	if a.cwd.at != was.at && certain(b.X) {
		a.cwd.others = nil
	}
	ok := a.stmt(b.Y)
	if a.cwd.at != was.at {
		if a.cwd.others = append(a.cwd.others, was.at); len(a.cwd.others) > maxFolders {
			a.cwd = unknownFolder
		}
		a.cwd.others = append(a.cwd.others, was.others...)
	}
	return ok
}

// certain reports whether each cd in a command has succeeded when the command has.
func certain(s *syntax.Stmt) bool {
	if s.Negated || s.Background || s.Coprocess || s.Disown {
		return false
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok {
		return b.Op == syntax.AndStmt && certain(b.X) && certain(b.Y)
	}
	_, ok := s.Cmd.(*syntax.CallExpr)
	return ok
}

// inside goes through clauses: loops, conditions, arithmetic, tests.
func (a *analysis) inside(c syntax.Command) bool {
	a.set(FeatureControl)
	switch c := c.(type) {
	case *syntax.IfClause:
		for i := c; i != nil; i = i.Else {
			if !a.stmts(i.Cond) || !a.stmts(i.Then) {
				return false
			}
		}
		return true
	case *syntax.WhileClause:
		return a.stmts(c.Cond) && a.stmts(c.Do)
	case *syntax.ForClause:
		if !a.node(c.Loop) {
			return false
		}
		return a.stmts(c.Do)
	case *syntax.CaseClause:
		if !a.node(c.Word) {
			return false
		}
		for _, i := range c.Items {
			for _, p := range i.Patterns {
				if !a.node(p) {
					return false
				}
			}
			if !a.stmts(i.Stmts) {
				return false
			}
		}
		return true
	case *syntax.ArithmCmd:
		a.arithm = true
		a.expression(c.X)
		return a.node(c)
	case *syntax.LetClause:
		a.arithm = true
		for _, x := range c.Exprs {
			a.expression(x)
		}
		return a.node(c)
	case *syntax.TestClause:
		a.arithm = true
		a.tests(c.X)
		return a.node(c)
	}
	return false // a sort of command that is not known here
}

// node looks for what runs something within words and expressions.
func (a *analysis) node(n syntax.Node) bool {
	ok := true
	syntax.Walk(n, func(n syntax.Node) bool {
		if n == nil || !ok {
			return false
		}
		if a.nodes++; a.nodes > maxNodes {
			ok = false
			return false
		}
		switch n := n.(type) {
		case *syntax.CmdSubst:
			a.set(FeatureSubstitution)
			ok = a.aside(func() bool { return a.stmts(n.Stmts) })
			return false
		case *syntax.ProcSubst:
			a.set(FeatureSubstitution)
			ok = a.aside(func() bool { return a.stmts(n.Stmts) })
			return false
		case *syntax.ParamExp:
			a.set(FeatureExpansion)
			if n.Index != nil && !everything(n.Index) {
				a.expression(n.Index)
			}
			if n.Slice != nil {
				a.expression(n.Slice.Offset)
				a.expression(n.Slice.Length)
			}
			if n.Excl || n.Exp != nil && n.Exp.Op == syntax.OtherParamOps {
				a.set(action.FeatureDynamic) // ${!x}, ${x@P}
			}
			if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull) && n.Param != nil {
				a.environment(n.Param.Value)
			}
		case *syntax.WordIter:
			a.environment(n.Name.Value)
			for _, w := range n.Items {
				a.counted(n.Name.Value, w)
			}
			if len(n.Items) == 0 {
				a.counted(n.Name.Value, nil)
			}
		case *syntax.CStyleLoop:
			for _, x := range []syntax.ArithmExpr{n.Init, n.Cond, n.Post} {
				if x != nil {
					a.expression(x)
				}
			}
		case *syntax.BinaryArithm:
			if w, isWord := n.X.(*syntax.Word); isWord {
				a.environment(w.Lit())
			}
		case *syntax.ArrayElem:
			if n.Index != nil {
				a.expression(n.Index)
			}
		case *syntax.ArithmExp:
			a.arithm = true
			a.expression(n.X)
		case *syntax.ExtGlob:
			a.set(FeatureGlob)
			if n.Pattern != nil && strings.ContainsAny(n.Pattern.Value, ":'\"+") {
				a.set(action.FeatureDynamic) // zsh runs code in glob qualifiers
			}
		case *syntax.SglQuoted:
			a.quoted = a.quoted || strings.Contains(n.Value, "$(") || strings.Contains(n.Value, "`")
		case *syntax.Assign:
			ok = a.variable(n)
		}
		return ok
	})
	return ok
}

// assign is an assignment before a command, or on its own.
func (a *analysis) assign(as *syntax.Assign) bool { return a.node(as) }

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

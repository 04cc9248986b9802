package pgsql

import (
	"errors"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// Analyze analyses every statement of a text. The error is a *ParseError; a
// text without statements gives none. Statements of one text see what earlier
// ones made, changed or dropped, as far as that can be known.
func Analyze(text string, env Env) ([]*sql.Statement, error) {
	if err := guard(text, env.Strings); err != nil {
		return nil, err
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, parseError(text, err)
	}
	b := newBatch()
	out := make([]*sql.Statement, 0, len(tree.Stmts))
	work := 0
	for _, raw := range tree.Stmts {
		if raw.GetStmt().GetNode() == nil {
			continue
		}
		a := newAnalysis(env, b)
		a.work = work / 2 // a text of many statements is bounded as a whole
		st := a.run(text, raw)
		if a.exhausted() {
			return nil, &ParseError{"the statement is too complex to analyse", st.Start}
		}
		work = a.work
		b.after(st, raw.Stmt, a)
		out = append(out, st)
	}
	if len(out) > 1 {
		for _, st := range out {
			st.Action.Features[action.FeatureMulti] = true
			st.ShapeKey = ""
		}
	}
	return out, nil
}

func parseError(text string, err error) *ParseError {
	var pe *parser.Error
	if errors.As(err, &pe) {
		// Cursorpos counts characters from 1.
		pos := -1
		if n := pe.Cursorpos - 1; n >= 0 {
			pos = 0
			for i := range text {
				if n == 0 {
					pos = i
					break
				}
				n--
			}
		}
		return &ParseError{pe.Message, pos}
	}
	return &ParseError{err.Error(), -1}
}

// run analyses one statement of the text.
func (a *analysis) run(text string, raw *pg.RawStmt) *sql.Statement {
	st := &sql.Statement{}
	st.Start, st.End = span(text, raw)
	st.Action.Text = text[st.Start:st.End]
	a.text, a.stmt = text, st
	out := a.statement(raw.Stmt, st)
	a.whereFeature()
	a.finish(st, out)
	st.Action.Fingerprint = fingerprint(st.Action.Text)
	if !a.literal && cacheable(raw.Stmt) && st.Start == leading(text) && trailing(text) == st.End {
		if key, ok := Shape(text); ok {
			st.ShapeKey = key
		}
	}
	return st
}

// span is the statement without the blanks around it and without its semicolon.
func span(text string, raw *pg.RawStmt) (start, end int) {
	start = min(max(int(raw.StmtLocation), 0), len(text))
	end = len(text)
	if n := int(raw.StmtLen); n > 0 {
		end = min(start+n, len(text))
	}
	s := text[start:end]
	start += len(s) - len(strings.TrimLeft(s, blanks))
	end = start + len(strings.TrimRight(text[start:end], blanks))
	return start, end
}

const blanks = " \t\r\n\f\v"

// leading and trailing are the span of a text's only statement, when it has no comments.
func leading(text string) int { return len(text) - len(strings.TrimLeft(text, blanks+";")) }

func trailing(text string) int { return len(strings.TrimRight(text, blanks+";")) }

func fingerprint(text string) string {
	fp, err := pg.Fingerprint(text)
	if err != nil {
		return ""
	}
	return fp
}

// cacheable reports the statement types whose facts a shape can stand for.
func cacheable(n *pg.Node) bool {
	switch n.GetNode().(type) {
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		return true
	}
	return false
}

// analyzeView analyses a view's definition, with the catalog's lock held.
func analyzeView(def string, env Env) (*sql.Statement, []*Function, error) {
	n, err := parseOne(def)
	if err != nil {
		return nil, nil, err
	}
	a := newAnalysis(env, newBatch())
	a.locked = true
	out := a.query(n, nil)
	if a.exhausted() {
		return nil, nil, errors.New("pgsql: view too complex")
	}
	st := &sql.Statement{}
	a.finish(st, &out)
	return st, a.called, nil
}

// analyzeExpression gives the columns of r that an expression over it uses.
func analyzeExpression(expression string, r *Relation, env Env) (origins []sql.Column, unknown bool) {
	n, err := parseOne("SELECT " + expression)
	if err != nil || len(n.GetSelectStmt().GetTargetList()) != 1 {
		return nil, true
	}
	a := newAnalysis(env, newBatch())
	a.locked = true
	it := &item{alias: r.Name, schema: r.Schema, rel: r}
	for i := range r.Columns {
		it.columns = append(it.columns, column{name: r.Columns[i].Name, rel: r, idx: i})
	}
	l := a.expr(n.GetSelectStmt().TargetList[0].GetResTarget().GetVal(), &scope{source: single(it)})
	if a.exhausted() {
		return nil, true
	}
	return a.named(l.set), l.unknown
}

func parseOne(text string) (*pg.Node, error) {
	if err := guard(text, true); err != nil {
		return nil, err
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, parseError(text, err)
	}
	if len(tree.Stmts) != 1 {
		return nil, errors.New("pgsql: not one statement")
	}
	return tree.Stmts[0].Stmt, nil
}

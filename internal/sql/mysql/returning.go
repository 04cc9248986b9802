package mysql

import (
	"errors"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/sql"
)

// returningStmt is INSERT, REPLACE or DELETE with MariaDB's RETURNING, which the grammar does not have: the statement
// before that word, and the select list behind it as a query of its own.
type returningStmt struct {
	ast.StmtNode
	list *ast.SelectStmt
	text string
}

// OriginalText is the whole statement, as the target gets it.
func (r *returningStmt) OriginalText() string { return r.text }

var errReturning = errors.New("no RETURNING that is understood")

// parseReturning reads a message that is one statement with RETURNING. The word is reserved in MariaDB, so where it stands
// without quotes and not behind a dot it is no name.
func parseReturning(p *parser.Parser, text string, m Mode) (ast.StmtNode, error) {
	if !m.MariaDB {
		return nil, errReturning
	}
	tokens, err := Tokens(text, m)
	if err != nil {
		return nil, err
	}
	at, err := returningAt(text, tokens)
	if err != nil {
		return nil, err
	}
	node, err := p.ParseOneStmt(text[:tokens[at].Start], "", "")
	if err != nil {
		return nil, err
	}
	table := changedTable(node)
	if table == nil {
		return nil, errReturning
	}
	from := "`" + quoteName(table.Name.O) + "`"
	if table.Schema.O != "" {
		from = "`" + quoteName(table.Schema.O) + "`." + from
	}
	query, err := p.ParseOneStmt("SELECT "+strings.TrimRight(text[tokens[at].End:], "; \t\r\n")+" FROM "+from, "", "")
	if err != nil {
		return nil, err
	}
	list, ok := query.(*ast.SelectStmt)
	if !ok || !onlyList(list) {
		return nil, errReturning
	}
	return &returningStmt{StmtNode: node, list: list, text: text}, nil
}

// returningAt finds the one word that may be there, outside of parentheses. Nothing may follow the statement.
func returningAt(text string, tokens []Token) (int, error) {
	at, depth := -1, 0
	for i, t := range tokens {
		switch word := text[t.Start:t.End]; {
		case t.Kind == TokenWord && strings.EqualFold(word, "RETURNING"):
			if at >= 0 || depth != 0 || i == 0 || text[tokens[i-1].Start:tokens[i-1].End] == "." {
				return 0, errReturning
			}
			at = i
		case t.Kind != TokenOther:
		case word == "(":
			depth++
		case word == ")":
			depth--
		case word == ";" && i != len(tokens)-1:
			return 0, errReturning
		}
	}
	if at < 0 {
		return 0, errReturning
	}
	return at, nil
}

// changedTable is the table of a statement that may have RETURNING; nil for another statement.
func changedTable(n ast.StmtNode) *ast.TableName {
	switch x := n.(type) {
	case *ast.InsertStmt:
		return tableIn(x.Table)
	case *ast.DeleteStmt:
		if x.Tables == nil && !x.IsMultiTable && x.With == nil && !aliased(x.TableRefs) {
			return tableIn(x.TableRefs)
		}
	}
	return nil
}

func aliased(r *ast.TableRefsClause) bool {
	if r == nil || r.TableRefs == nil {
		return false
	}
	src, ok := r.TableRefs.Left.(*ast.TableSource)
	return ok && src.AsName.O != ""
}

// onlyList reports whether a query is a list of values from one table and nothing else, so that what stood behind RETURNING was
// that list.
func onlyList(x *ast.SelectStmt) bool {
	return tableIn(x.From) != nil && !aliased(x.From) && justFields(x)
}

// justFields reports whether a query has nothing but its list, wherever that is from.
func justFields(x *ast.SelectStmt) bool {
	return x.Kind == ast.SelectStmtKindSelect && x.Fields != nil && x.With == nil && x.Where == nil && x.GroupBy == nil && x.Having == nil && x.OrderBy == nil &&
		x.Limit == nil && x.WindowSpecs == nil && x.LockInfo == nil && x.SelectIntoOpt == nil && !x.Distinct && len(x.TableHints) == 0
}

// returning takes a statement with RETURNING: what it returns is masked as what a query returns.
func (a *analysis) returning(x *returningStmt, st *sql.Statement) {
	a.statement(x.StmtNode, st)
	fields, ok := a.resultSet(x.list, nil)
	returns(st, fields, ok)
}

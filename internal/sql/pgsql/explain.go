package pgsql

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// ErrNotExplained says that a text is not one statement that EXPLAIN only plans.
var ErrNotExplained = errors.New("not one statement that can be planned without being run")

// explainPrefix has no ANALYZE, which would run the statement.
const explainPrefix = "EXPLAIN (VERBOSE, FORMAT JSON) "

// Explain gives the statement that asks for a text's plan, and what kind the text is: "select", "insert", "update", "delete" or "merge".
// What it gives is parsed again: it is this EXPLAIN of this one statement, and nothing else.
func Explain(text string) (explain, verb string, err error) {
	if verb, err = planned(text); err != nil {
		return "", "", err
	}
	explain = explainPrefix + text
	node, err := only(explain)
	if err != nil {
		return "", "", err
	}
	e := node.GetExplainStmt()
	if e == nil || len(e.GetOptions()) != 2 || e.GetOptions()[0].GetDefElem().GetDefname() != "verbose" || e.GetOptions()[1].GetDefElem().GetDefname() != "format" ||
		verbOf(e.GetQuery()) != verb {
		return "", "", ErrNotExplained
	}
	return explain, verb, nil
}

func planned(text string) (string, error) {
	node, err := only(text)
	if err != nil {
		return "", err
	}
	verb := verbOf(node)
	if verb == "" {
		return "", ErrNotExplained
	}
	return verb, nil
}

// only is the one statement of a text.
func only(text string) (*pg.Node, error) {
	if err := guard(text, true); err != nil {
		return nil, err
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, parseError(text, err)
	}
	if len(tree.GetStmts()) != 1 {
		return nil, ErrNotExplained
	}
	return tree.GetStmts()[0].GetStmt(), nil
}

func verbOf(n *pg.Node) string {
	switch {
	case n.GetSelectStmt() != nil && !into(n.GetSelectStmt()):
		return "select"
	case n.GetInsertStmt() != nil:
		return "insert"
	case n.GetUpdateStmt() != nil:
		return "update"
	case n.GetDeleteStmt() != nil:
		return "delete"
	case n.GetMergeStmt() != nil:
		return "merge"
	}
	return ""
}

// into reports whether a query makes a table: SELECT INTO, which is written at its leftmost part.
func into(s *pg.SelectStmt) bool {
	for ; s != nil; s = s.GetLarg() {
		if s.GetIntoClause() != nil {
			return true
		}
	}
	return false
}

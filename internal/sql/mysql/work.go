package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// workStmt is BEGIN, COMMIT or ROLLBACK with WORK behind it, a word without meaning that the grammar has behind ROLLBACK only.
type workStmt struct {
	ast.StmtNode
	text string
}

// OriginalText is the whole statement, as the target gets it.
func (w *workStmt) OriginalText() string { return w.text }

// parseWork reads a message that is one such statement.
func parseWork(p *parser.Parser, text string) (ast.StmtNode, bool) {
	words := strings.Fields(text)
	if len(words) < 2 || !strings.EqualFold(strings.TrimRight(words[1], ";"), "WORK") || strings.Contains(strings.TrimRight(text, "; \t\r\n"), ";") {
		return nil, false
	}
	switch strings.ToUpper(words[0]) {
	case "BEGIN", "COMMIT":
	default:
		return nil, false
	}
	n, err := p.ParseOneStmt(words[0]+" "+strings.Join(words[2:], " "), "", "")
	if err != nil {
		return nil, false
	}
	return &workStmt{StmtNode: n, text: text}, true
}

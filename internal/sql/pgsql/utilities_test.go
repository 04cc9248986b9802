package pgsql

import (
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// TestEveryStatement: each statement type that the parser has is known to us.
func TestEveryStatement(t *testing.T) {
	own := "SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt ExplainStmt PrepareStmt ExecuteStmt DeallocateStmt DeclareCursorStmt " +
		"FetchStmt ClosePortalStmt TransactionStmt VariableSetStmt VariableShowStmt DoStmt CallStmt ViewStmt " +
		// parts of others, never a statement of their own
		"RawStmt SetOperationStmt ReturnStmt PLAssignStmt ReplicaIdentityStmt"
	fields := (&pg.Node{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		m := fields.Get(i).Message()
		if m == nil || !strings.HasSuffix(string(m.Name()), "Stmt") {
			continue
		}
		name := string(m.Name())
		if _, ok := utilities[name]; !ok && !strings.Contains(" "+own+" ", " "+name+" ") {
			t.Errorf("%s is not known", name)
		}
	}
	for name := range utilities {
		if !hasMessage(name) {
			t.Errorf("%s is no statement of the parser", name)
		}
	}
}

func hasMessage(name string) bool {
	fields := (&pg.Node{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		if m := fields.Get(i).Message(); m != nil && string(m.Name()) == name {
			return true
		}
	}
	return false
}

package sqlindex

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// sqliteTables: a session's key is its row's number, and texts is an index of words without the text, which actions has.
var sqliteTables = strings.Replace(tables, "n BIGINT PRIMARY KEY", "n INTEGER PRIMARY KEY", 1) + ` WITHOUT ROWID;
CREATE TABLE terms (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE facts (term BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (term, n)) WITHOUT ROWID;
CREATE INDEX facts_n ON facts (n);
CREATE VIRTUAL TABLE texts USING fts5 (words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0");
`

// The first two versions had other tables. What they do not prove, the nodes, is kept, and the index is made again.
var sqliteSteps = []string{sqliteVersion1, sqliteVersion2,
	rebuildTables + `INSERT INTO nodes SELECT id, node FROM sessions;
INSERT INTO stale SELECT 1 WHERE EXISTS (SELECT 1 FROM sessions);
DROP TABLE sessions; DROP TABLE facts; DROP TABLE actions; DROP TABLE leaves;
` + leavesTable + sqliteTables}

const (
	sqliteVersion1 = `CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (session TEXT); CREATE TABLE IF NOT EXISTS actions (session TEXT);`
	sqliteVersion2 = `CREATE TABLE leaves (n INTEGER PRIMARY KEY);`
)

// OpenSQLite opens or creates the index in a file.
func OpenSQLite(ctx context.Context, path string) (*Index, error) {
	db, err := sqlitedb.Open(path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := sqlitedb.Migrate(ctx, db, "audit", sqliteSteps...); err != nil {
		db.Close()
		return nil, err
	}
	rdb, err := sqlitedb.Another(db)
	if err != nil {
		db.Close()
		return nil, err
	}
	return newIndex(sqlite{db, rdb}, db, rdb), nil
}

type sqlite struct{ db, rdb *sql.DB }

func (d sqlite) close() error { return errors.Join(d.rdb.Close(), d.db.Close()) }

func (sqlite) begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) { return db.BeginTx(ctx, nil) }

func (sqlite) bind(query string) string    { return query }
func (sqlite) create() string              { return sqliteTables }
func (sqlite) wrote(*statements, []string) {}
func (sqlite) conflict(error) bool         { return false }
func (sqlite) tidy() []string              { return []string{"PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA optimize"} }
func (sqlite) size() string {
	return "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
}
func (sqlite) direct() bool  { return false }
func (sqlite) fence() string { return "" }
func (sqlite) drop() string {
	return "DROP TABLE sessions; DROP TABLE actions; DROP TABLE terms; DROP TABLE facts; DROP TABLE texts;"
}

func (sqlite) addFacts(st *statements, terms, keys []int64) {
	rows := make([][]any, len(terms))
	for i := range terms {
		rows[i] = []any{terms[i], keys[i]}
	}
	st.rows("INSERT INTO facts (term, n) VALUES ", rows, " ON CONFLICT DO NOTHING")
}

func (sqlite) addTexts(st *statements, all []statement) {
	rows := make([][]any, len(all))
	for i, s := range all {
		rows[i] = []any{s.n<<slotBits | int64(s.slot), strings.Join(s.words, " ")}
	}
	st.rows("INSERT OR REPLACE INTO texts (rowid, words) VALUES ", rows, "")
}

func (sqlite) deleteTexts(st *statements, n int64) {
	st.exec("DELETE FROM texts WHERE rowid BETWEEN ? AND ?", n<<slotBits, n<<slotBits|(1<<slotBits-1))
}

// text: phrases in the language of FTS5, where a string is words beside each other.
func (sqlite) text(_ context.Context, _ *Index, all []index.Phrase, _ span) (cond, error) {
	var parts []string
	for _, p := range all {
		part := `"` + strings.Join(p.Words, " ") + `"`
		if p.Prefix {
			part += " *"
		}
		parts = append(parts, part)
	}
	match := strings.Join(parts, " AND ")
	return cond{from: "texts", where: "texts MATCH ?", args: []any{match}, key: "(texts.rowid >> 16)", at: "texts.rowid", shift: slotBits, repeats: true, eager: true,
		probe: "SELECT 1 FROM texts p WHERE p.texts MATCH ? AND p.rowid BETWEEN (%[1]s << 16) AND (%[1]s << 16 | 65535)", probeArgs: []any{match}}, nil
}

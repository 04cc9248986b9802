package sqlindex

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/pgdb"
)

const postgresTables = tables + `;
CREATE TABLE terms (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE facts (term BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (term, n));
CREATE INDEX facts_n ON facts (n);
CREATE TABLE texts (n BIGINT NOT NULL, slot INTEGER NOT NULL, words TSVECTOR NOT NULL, PRIMARY KEY (n, slot));
CREATE INDEX texts_words ON texts USING gin (words);
ALTER TABLE texts ALTER COLUMN words SET STATISTICS 1000;
`

// OpenPostgres opens or creates the index in a database, for several processes at once. It closes the database with the index.
func OpenPostgres(ctx context.Context, url string, log *slog.Logger) (*Index, error) {
	db, err := pgdb.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	x, err := NewPostgres(ctx, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	x.d.(*postgres).owned = true
	return x, nil
}

// NewPostgres makes the index in a database that stays the caller's.
func NewPostgres(ctx context.Context, db *pgdb.DB) (*Index, error) { return newPostgres(ctx, db, nil) }

// NewPostgresOf is NewPostgres for a process that writes as long as it leads: after its term nothing is written any more.
func NewPostgresOf(ctx context.Context, db *pgdb.DB, t pgdb.Term) (*Index, error) {
	return newPostgres(ctx, db, &t)
}

func newPostgres(ctx context.Context, db *pgdb.DB, t *pgdb.Term) (*Index, error) {
	if err := db.Migrate(ctx, "audit", leavesTable+rebuildTables+postgresTables); err != nil {
		return nil, err
	}
	d := &postgres{db: db, term: t}
	x := newIndex(d, db.SQL, db.SQL)
	d.cancel = db.Listen(auditChannel, x.watch.tell)
	return x, nil
}

const auditChannel = "audit"

type postgres struct {
	db     *pgdb.DB
	owned  bool
	term   *pgdb.Term // nil: whoever writes
	cancel func()
}

func (*postgres) bind(query string) string { return numbered(query) }
func (*postgres) create() string           { return postgresTables }
func (*postgres) drop() string             { return "DROP TABLE sessions, actions, terms, facts, texts;" }
func (*postgres) tidy() []string {
	return []string{"VACUUM ANALYZE sessions, facts, texts, actions, terms"}
}
func (*postgres) size() string            { return "SELECT pg_database_size(current_database())" }
func (*postgres) direct() bool            { return true }
func (*postgres) fence() string           { return " OFFSET 0" } // no planner turns that into a join
func (*postgres) conflict(err error) bool { return pgdb.IsConflict(err) }

func (d *postgres) begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil || d.term == nil {
		return tx, err
	}
	if err := d.term.Check(ctx, tx); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

func (d *postgres) close() error {
	d.cancel()
	if d.owned {
		return d.db.Close()
	}
	return nil // the database is the caller's
}

func (*postgres) wrote(st *statements, sessions []string) {
	if st.err == nil && len(sessions) > 0 {
		st.exec("SELECT pg_notify(?, ? || ':' || id) FROM unnest(?::text[]) id", pgdb.Channel, auditChannel, sessions)
	}
}

func (*postgres) addFacts(st *statements, terms, keys []int64) {
	if len(terms) > 0 {
		st.exec("INSERT INTO facts (term, n) SELECT * FROM unnest(?::bigint[], ?::bigint[]) ON CONFLICT DO NOTHING", terms, keys)
	}
}

// addTexts writes word vectors as text: what a word is, is said by index.Words, not by the server's parser.
func (*postgres) addTexts(st *statements, all []statement) {
	if len(all) == 0 {
		return
	}
	keys, slots, vectors := make([]int64, len(all)), make([]int64, len(all)), make([]string, len(all))
	for i, s := range all {
		var b strings.Builder
		for at, w := range s.words {
			b.WriteString("'" + w + "':" + strconv.Itoa(min(at+1, maxPosition)) + " ")
		}
		keys[i], slots[i], vectors[i] = s.n, int64(s.slot), b.String()
	}
	st.exec(`INSERT INTO texts (n, slot, words) SELECT n, slot, words::tsvector FROM unnest(?::bigint[], ?::bigint[], ?::text[]) t (n, slot, words)
 ON CONFLICT (n, slot) DO UPDATE SET words = excluded.words`, keys, slots, vectors)
}

// maxPosition is the last place that a tsvector knows.
const maxPosition = 16383

// rare is how many statements with a word are quicker looked up, all of them, than found by walking over sessions until
// a page is full: with some millions of statements that is about as quick.
const rare = 15_000

func (*postgres) text(ctx context.Context, x *Index, all []index.Phrase, r span) (cond, error) {
	var parts []string
	for _, p := range all {
		part := "'" + strings.Join(p.Words, "' <-> '") + "'"
		if p.Prefix {
			part += ":*"
		}
		parts = append(parts, "("+part+")")
	}
	match := strings.Join(parts, " & ")
	c := cond{count: math.MaxInt64, probe: "SELECT 1 FROM texts p WHERE p.n = %s AND p.words @@ ?::tsquery", probeArgs: []any{match}}
	n, err := x.expect(ctx, match, r)
	if err == nil && n < rare {
		c.from, c.where, c.args = "(SELECT DISTINCT n FROM texts WHERE words @@ ?::tsquery OFFSET 0) c", "TRUE", []any{match}
		c.key, c.at, c.count = "c.n", "c.n", n+1
	}
	return c, err
}

// expect asks the planner how many statements match.
func (x *Index) expect(ctx context.Context, match string, r span) (int64, error) {
	var out string
	err := x.rdb.QueryRowContext(ctx, "EXPLAIN (FORMAT JSON) SELECT 1 FROM texts WHERE words @@ $1::tsquery AND n >= $2 AND n < $3",
		pgx.QueryExecModeSimpleProtocol, match, r.lo, r.hi).Scan(&out)
	if err != nil {
		return 0, err
	}
	var plan []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil || len(plan) != 1 {
		return 0, fmt.Errorf("the plan of a question: %v", err)
	}
	return int64(min(plan[0].Plan.Rows, math.MaxInt32)), nil
}

func (*postgres) deleteTexts(st *statements, n int64) { st.exec("DELETE FROM texts WHERE n = ?", n) }

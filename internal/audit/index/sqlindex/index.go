// Package sqlindex keeps the index of sessions in SQLite or in PostgreSQL, with one schema, one way
// to write and one way to ask. What differs between the two is in dialect.
//
// A session's place in the index is its key n: its start in steps of 10 µs, moved on to the next free
// one. So the order of keys is the order of starts, and everything that a session can be found by is a
// list of keys in that order: facts (term, n), and texts. A question walks the shortest of its lists from
// the newest on, looks each key up in the others, and stops when the page is full.
package sqlindex

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

// dialect is what differs.
type dialect interface {
	// bind turns ? into the store's placeholders.
	bind(query string) string
	// drop and create empty the tables that Rebuild makes anew.
	drop() string
	create() string
	// direct: the driver keeps prepared statements itself.
	direct() bool
	// addFacts puts terms[i] with keys[i].
	addFacts(st *statements, terms, keys []int64)
	// addTexts puts statements into the words' index.
	addTexts(st *statements, all []statement)
	// deleteTexts takes all of a session's statements out of it.
	deleteTexts(st *statements, n int64)
	// text is the condition that a phrase is in a statement.
	text(ctx context.Context, x *Index, all []index.Phrase, r span) (cond, error)
	// fence ends a question for one key, so that it stays one.
	fence() string
	// wrote tells watchers on other machines, inside the transaction.
	wrote(st *statements, sessions []string)
	// conflict: somebody else won a race, and the transaction may be tried again.
	conflict(err error) bool
	// tidy is what Tidy does; size the query of Size.
	tidy() []string
	size() string
	// begin begins a transaction that writes.
	begin(ctx context.Context, db *sql.DB) (*sql.Tx, error)
	close() error
}

// Index implements index.Index.
type Index struct {
	d   dialect
	db  *sql.DB // writes
	rdb *sql.DB // reads

	mu    sync.Mutex
	terms map[index.Fact]int64 // without Session
	keys  map[string]int64     // n of sessions

	watch watchers
}

var _ index.Index = (*Index)(nil)

// cached bounds each map of an Index, in entries.
const cached = 1 << 16

func newIndex(d dialect, db, rdb *sql.DB) *Index {
	return &Index{d: d, db: db, rdb: rdb, terms: map[index.Fact]int64{}, keys: map[string]int64{}}
}

// Close implements index.Index.
func (x *Index) Close() error { return x.d.close() }

// Watch implements index.Index.
func (x *Index) Watch(f func(string)) func() { return x.watch.add(f) }

// watchers are told of writes. The zero value is ready.
type watchers struct {
	mu   sync.Mutex
	all  map[int]func(string)
	next int
}

func (w *watchers) add(f func(string)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[int]func(string){}
	}
	key := w.next
	w.next++
	w.all[key] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, key)
	}
}

func (w *watchers) tell(session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.all {
		f(session)
	}
}

// statement is one for the words' index.
type statement struct {
	n     int64
	slot  int
	words []string
}

const (
	epoch = 1_577_836_800_000_000_000 // 2020-01-01, in nanoseconds
	step  = 10_000                    // of keys, in nanoseconds
	// slotBits: a statement's place in the words' index of SQLite is n<<slotBits | slot.
	slotBits = 16
	maxKey   = 1<<(63-slotBits) - 1
)

// keyOf is the first key that a session of this start may have; 1 to maxKey.
func keyOf(t time.Time) int64 {
	if t.IsZero() {
		return 1
	}
	return max(1, min((t.UnixNano()-epoch)/step, maxKey-1))
}

// numbered writes the placeholders of PostgreSQL. No query of ours has a question mark elsewhere.
func numbered(query string) string {
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func failed(doing string, err error) error { return fmt.Errorf("index: %s: %w", doing, err) }

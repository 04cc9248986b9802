package sqlindex

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/audit/index"
)

// tries bounds how often a batch is begun again that lost a race.
const tries = 8

// Write implements index.Index.
func (x *Index) Write(ctx context.Context, b *index.Batch) error {
	if b.Empty() {
		return nil
	}
	for n := 1; ; n++ {
		err := x.write(ctx, b)
		if err == nil {
			for i := range b.Sessions {
				x.watch.tell(b.Sessions[i].ID)
			}
			return nil
		}
		x.forget() // what it knows may be what was wrong
		if n == tries || !x.d.conflict(err) {
			return failed("write", err)
		}
	}
}

func (x *Index) write(ctx context.Context, b *index.Batch) error {
	terms, err := x.termsOf(ctx, b.Facts)
	if err != nil {
		return err
	}
	tx, err := x.d.begin(ctx, x.db)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit: nothing
	st := x.statements(ctx, tx)
	w := &writing{x: x, st: st, keys: map[string]int64{}}
	ids := make([]string, len(b.Sessions))
	for i := range b.Sessions {
		ids[i] = b.Sessions[i].ID
		w.session(&b.Sessions[i])
	}
	w.actions(b.Actions)
	factTerms, factKeys := make([]int64, len(b.Facts)), make([]int64, len(b.Facts))
	for i, f := range b.Facts {
		factTerms[i], factKeys[i] = terms[index.Fact{Kind: f.Kind, Value: f.Value}], w.key(f.Session)
	}
	x.d.addFacts(st, factTerms, factKeys)
	var texts []statement
	for _, t := range b.Texts {
		if words := index.Words(t.Text); len(words) > 0 && t.Slot < index.MaxSlots {
			texts = append(texts, statement{w.key(t.Session), t.Slot, words})
		}
	}
	x.d.addTexts(st, lastOfEach(texts))
	if st.err == nil {
		x.d.wrote(st, ids)
	}
	if st.err != nil {
		return st.err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	x.learn(w.keys)
	return nil
}

// lastOfEach leaves one statement for each place: a session that was read anew may be twice in a batch.
func lastOfEach(all []statement) []statement {
	type place struct {
		n    int64
		slot int
	}
	at := make(map[place]int, len(all))
	out := all[:0]
	for _, s := range all {
		p := place{s.n, s.slot}
		if i, ok := at[p]; ok {
			out[i] = s
			continue
		}
		at[p] = len(out)
		out = append(out, s)
	}
	return out
}

func (x *Index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.terms)
	clear(x.keys)
}

func (x *Index) learn(keys map[string]int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.keys)+len(keys) > cached {
		clear(x.keys)
	}
	maps.Copy(x.keys, keys)
}

// writing is one transaction.
type writing struct {
	x    *Index
	st   *statements
	keys map[string]int64
}

// key is that of a session which the index has.
func (w *writing) key(id string) int64 {
	if n := w.keys[id]; n != 0 || w.st.err != nil {
		return n
	}
	w.x.mu.Lock()
	n := w.x.keys[id]
	w.x.mu.Unlock()
	if n == 0 {
		w.st.get("SELECT n FROM sessions WHERE id = ?", []any{id}, &n)
		if errors.Is(w.st.err, sql.ErrNoRows) {
			w.st.err = fmt.Errorf("session %s: %w", id, index.ErrNotFound)
		}
	}
	w.keys[id] = n
	return n
}

const (
	sqlUpdate = `UPDATE sessions SET (` + sessionColumns + `) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE n = ? AND id = ?`
	sqlInsert = `INSERT INTO sessions (` + sessionColumns + `, n) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`
)

// session puts a row in, or brings it up to date.
func (w *writing) session(s *index.Session) {
	w.x.mu.Lock()
	n := w.x.keys[s.ID]
	w.x.mu.Unlock()
	if n != 0 && w.st.exec(sqlUpdate, append(values(s), n, s.ID)...) == 1 {
		w.keys[s.ID] = n
		return
	}
	// The first free key, or the row's.
	for n = keyOf(s.Started); w.st.err == nil && w.st.exec(sqlInsert, append(values(s), n)...) == 0; n++ {
		if w.again(s, &n) {
			break
		}
	}
	if s.Frames > 0 {
		w.keys[s.ID] = n
	}
}

// again writes a session that may have a row already, and gives its key.
func (w *writing) again(s *index.Session, n *int64) bool {
	var key, frames int64
	if !w.st.get("SELECT n, frames FROM sessions WHERE id = ?", []any{s.ID}, &key, &frames) {
		if errors.Is(w.st.err, sql.ErrNoRows) { // it is the key that is taken
			w.st.err = nil
		}
		return false
	}
	if frames > 0 {
		*n = key
		w.st.exec(sqlUpdate, append(values(s), key, s.ID)...)
		return true
	}
	// So far nothing said when it began, and nothing else has its key.
	w.st.exec("DELETE FROM sessions WHERE n = ?", key)
	*n = keyOf(s.Started) - 1
	return false
}

func values(r *index.Session) []any {
	return []any{r.ID, r.File, r.Node, r.Target, r.Protocol, r.Subject, r.OnBehalfOf, jsonOf(r.Actors), jsonOf(r.Groups),
		r.Issuer, r.Method, unix(r.Started), unix(r.Ended), r.Live, r.Reason, r.Message, r.Lost, r.Client, r.Application, r.Database, r.User,
		r.Actions, r.Allowed, r.Blocked, r.Held, r.Rows, r.Bytes, r.Masked, int64(r.Frames), int64(r.Stream), r.Undecoded, r.Sealed, r.Hash}
}

// termsOf gives the numbers of facts' values. New ones are made in a transaction of their own, in one
// order everywhere: they do no harm when the batch fails, and two writers do not wait for each other in a circle.
func (x *Index) termsOf(ctx context.Context, facts []index.Fact) (map[index.Fact]int64, error) {
	terms, missing := map[index.Fact]int64{}, map[index.Fact]bool{}
	x.mu.Lock()
	for _, f := range facts {
		f.Session = ""
		if n, ok := x.terms[f]; ok {
			terms[f] = n
		} else {
			missing[f] = true
		}
	}
	x.mu.Unlock()
	if len(missing) == 0 {
		return terms, nil
	}
	fresh := slices.SortedFunc(maps.Keys(missing), func(a, b index.Fact) int {
		return strings.Compare(a.Kind+"\x00"+a.Value, b.Kind+"\x00"+b.Value)
	})
	tx, err := x.d.begin(ctx, x.db)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	st := x.statements(ctx, tx)
	for _, f := range fresh {
		var n int64
		if !st.get("SELECT id FROM terms WHERE kind = ? AND value = ?", []any{f.Kind, f.Value}, &n) && errors.Is(st.err, sql.ErrNoRows) {
			st.err = nil
			st.exec("INSERT INTO terms (kind, value) VALUES (?,?) ON CONFLICT DO NOTHING", f.Kind, f.Value)
			st.get("SELECT id FROM terms WHERE kind = ? AND value = ?", []any{f.Kind, f.Value}, &n)
		}
		terms[f] = n
	}
	if st.err != nil {
		return nil, st.err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.terms)+len(fresh) > cached {
		clear(x.terms)
	}
	for _, f := range fresh {
		x.terms[f] = terms[f]
	}
	return terms, nil
}

func jsonOf(v []string) string {
	if v == nil {
		v = []string{}
	}
	b, _ := json.Marshal(v) // strings always marshal
	return string(b)
}

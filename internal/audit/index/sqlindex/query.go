package sqlindex

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/audit/index"
)

// span is the keys in question: lo to hi-1.
type span struct{ lo, hi int64 }

// cond is a condition on sessions, which can be walked, or asked for one key.
type cond struct {
	// from and where choose its entries, args are for both; key is the session's key in an entry, and
	// at<<shift what entries are in order by. from "": it cannot be walked.
	from, where string
	args        []any
	key, at     string
	shift       uint
	repeats     bool // a key may come several times, one after the other
	// probe asks for the key %s, with probeArgs.
	probe     string
	probeArgs []any
	// count is how many entries there are in the span; from enough on, it is less for a list whose newest entries
	// reach further back, which is the shorter one.
	count int64
	// eager: asking for one key takes several times as long as it does elsewhere, so rather walk.
	eager bool
}

// weight is what it costs to walk c.
func (c *cond) weight() int64 {
	if c.eager {
		return min(c.count, enough) / 10
	}
	return c.count
}

// enough is how far entries are counted: walking so many is quick.
const enough = 10_000

// List implements index.Index.
func (x *Index) List(ctx context.Context, q index.Query) (index.Page, error) {
	p := index.Page{Sessions: []index.Session{}}
	conds, r, err := x.conditions(ctx, &q)
	if err == nil && len(conds) > 0 {
		p, err = x.page(ctx, conds, r, q.Size())
	}
	var wrong *index.QueryError
	if err != nil && !errors.As(err, &wrong) {
		err = failed("list", err)
	}
	return p, err
}

// conditions of a query; none when nothing can fit.
func (x *Index) conditions(ctx context.Context, q *index.Query) ([]cond, span, error) {
	r, err := spanOf(q)
	if err != nil {
		return nil, r, err
	}
	facts, err := q.Facts()
	if err != nil {
		return nil, r, err
	}
	phrases, err := q.Phrases()
	if err != nil {
		return nil, r, err
	}
	all := []cond{{from: "sessions c", where: "TRUE", key: "c.n", at: "c.n", count: math.MaxInt64}}
	for _, f := range facts {
		var term int64
		err := x.rdb.QueryRowContext(ctx, x.d.bind("SELECT id FROM terms WHERE kind = ? AND value = ?"), f.Kind, f.Value).Scan(&term)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, r, nil
		}
		if err != nil {
			return nil, r, err
		}
		all = append(all, cond{from: "facts c", where: "c.term = ?", args: []any{term}, key: "c.n", at: "c.n",
			probe: "SELECT 1 FROM facts p WHERE p.term = ? AND p.n = %s", probeArgs: []any{term}})
	}
	if len(phrases) > 0 {
		c, err := x.d.text(ctx, x, phrases, r)
		if err != nil {
			return nil, r, err
		}
		all = append(all, c)
	}
	if q.Session != "" { // a name that a database does not take is nobody's
		id := index.Bounded(q.Session, index.MaxValue)
		all = append(all, cond{from: "sessions c", where: "c.id = ?", args: []any{id}, key: "c.n", at: "c.n",
			probe: "SELECT 1 FROM sessions p WHERE p.id = ? AND p.n = %s", probeArgs: []any{id}})
	}
	all = append(all, flags(q)...)
	for i := range all {
		if c := &all[i]; c.count == 0 && c.from != "" {
			if c.count, err = x.count(ctx, c, r); err != nil || c.count == 0 {
				return nil, r, err
			}
		}
	}
	return all, r, nil
}

// flags are conditions on the row itself.
func flags(q *index.Query) (all []cond) {
	if q.Live != nil && *q.Live {
		all = append(all, cond{from: "sessions c", where: "c.live", key: "c.n", at: "c.n", probe: "SELECT 1 FROM sessions p WHERE p.n = %s AND p.live"})
	} else if q.Live != nil {
		all = append(all, cond{probe: "SELECT 1 FROM sessions p WHERE p.n = %s AND NOT p.live"})
	}
	if !q.Since.IsZero() { // a key says it nearly
		all = append(all, cond{probe: "SELECT 1 FROM sessions p WHERE p.n = %s AND p.started >= ?", probeArgs: []any{unix(q.Since)}})
	}
	if !q.Until.IsZero() {
		all = append(all, cond{probe: "SELECT 1 FROM sessions p WHERE p.n = %s AND p.started < ?", probeArgs: []any{unix(q.Until)}})
	}
	return all
}

// moved is how far behind its start a session's key may be that found others taken, in steps.
const moved = 1_000_000

func spanOf(q *index.Query) (span, error) {
	r := span{lo: 0, hi: maxKey}
	if !q.Since.IsZero() {
		r.lo = keyOf(q.Since)
	}
	if !q.Until.IsZero() {
		r.hi = min(r.hi, keyOf(q.Until)+moved)
	}
	if q.Cursor == "" {
		return r, nil
	}
	at, kind, ok := strings.Cut(q.Cursor, ":")
	n, err := strconv.ParseInt(at, 10, 64)
	if !ok || kind != "n" || err != nil || n <= 0 || n > maxKey {
		return r, &index.QueryError{What: fmt.Sprintf("cursor %q is not one of ours", q.Cursor)}
	}
	r.hi = min(r.hi, n)
	return r, nil
}

// entries is the part of a query that walks c in the span.
func (c *cond) entries(r span) (string, []any) {
	return " FROM " + c.from + " WHERE " + c.where + " AND " + c.at + " >= ? AND " + c.at + " < ?",
		append(slices.Clone(c.args), r.lo<<c.shift, r.hi<<c.shift)
}

func (x *Index) count(ctx context.Context, c *cond, r span) (n int64, err error) {
	part, args := c.entries(r)
	var oldest int64
	err = x.rdb.QueryRowContext(ctx, x.d.bind("SELECT count(*), coalesce(min(place), 0) FROM (SELECT "+c.at+" AS place"+part+" ORDER BY "+c.at+" DESC LIMIT ?) counted"),
		append(args, enough)...).Scan(&n, &oldest)
	if n == enough {
		n += oldest >> c.shift
	}
	return n, err
}

// walk makes the query that gives keys, newest first.
func walk(conds []cond, r span, limit int, fence string) (query string, args []any, repeats bool) {
	first := 0
	for i := range conds {
		if conds[i].from != "" && conds[i].weight() < conds[first].weight() {
			first = i
		}
	}
	c := conds[first]
	part, args := c.entries(r)
	var b strings.Builder
	b.WriteString("SELECT " + c.key + part)
	rest := slices.Delete(slices.Clone(conds), first, first+1)
	slices.SortStableFunc(rest, func(a, b cond) int { return cmp.Compare(a.count, b.count) })
	for _, p := range rest {
		if p.probe != "" {
			b.WriteString(" AND EXISTS (" + fmt.Sprintf(p.probe, c.key) + fence + ")")
			args = append(args, p.probeArgs...)
		}
	}
	b.WriteString(" ORDER BY " + c.at + " DESC")
	if !c.repeats {
		b.WriteString(" LIMIT ?")
		args = append(args, limit)
	}
	return b.String(), args, c.repeats
}

func (x *Index) page(ctx context.Context, conds []cond, r span, size int) (index.Page, error) {
	p := index.Page{Sessions: []index.Session{}}
	keys, err := x.keysOf(ctx, conds, r, size+1)
	if err != nil || len(keys) == 0 {
		return p, err
	}
	if len(keys) > size {
		keys = keys[:size]
		p.Next = strconv.FormatInt(keys[size-1], 10) + ":n"
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	rows, err := x.rdb.QueryContext(ctx, x.d.bind("SELECT "+sessionColumns+" FROM sessions WHERE n IN (?"+strings.Repeat(",?", len(args)-1)+") ORDER BY n DESC"), args...)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanSession(rows)
		if err != nil {
			return p, err
		}
		p.Sessions = append(p.Sessions, s)
	}
	return p, rows.Err()
}

func (x *Index) keysOf(ctx context.Context, conds []cond, r span, limit int) ([]int64, error) {
	query, args, repeats := walk(conds, r, limit, x.d.fence())
	rows, err := x.rdb.QueryContext(ctx, x.d.bind(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []int64
	for len(keys) < limit && rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		if !repeats || len(keys) == 0 || keys[len(keys)-1] != n {
			keys = append(keys, n)
		}
	}
	return keys, rows.Err()
}

// Get implements index.Index.
func (x *Index) Get(ctx context.Context, id string) (index.Session, error) {
	s, err := scanSession(x.rdb.QueryRowContext(ctx, x.d.bind("SELECT "+sessionColumns+" FROM sessions WHERE id = ?"), index.Bounded(id, index.MaxValue)))
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("%s: %w", id, index.ErrNotFound)
	}
	if err != nil {
		return s, failed(id, err)
	}
	return s, nil
}

func scanSession(row interface{ Scan(...any) error }) (index.Session, error) {
	var r index.Session
	var actors, groups string
	var started, ended, frames, stream int64
	err := row.Scan(&r.ID, &r.File, &r.Node, &r.Target, &r.Protocol, &r.Subject, &r.OnBehalfOf, &actors, &groups, &r.Issuer, &r.Method,
		&started, &ended, &r.Live, &r.Reason, &r.Message, &r.Lost, &r.Client, &r.Application, &r.Database, &r.User,
		&r.Actions, &r.Allowed, &r.Blocked, &r.Held, &r.Rows, &r.Bytes, &r.Masked, &frames, &stream, &r.Undecoded, &r.Sealed, &r.Hash)
	if err != nil {
		return r, err
	}
	r.Started, r.Ended, r.Frames, r.Stream = moment(started), moment(ended), uint64(frames), uint64(stream)
	return r, errors.Join(json.Unmarshal([]byte(actors), &r.Actors), json.Unmarshal([]byte(groups), &r.Groups))
}

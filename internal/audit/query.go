package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// Filter chooses sessions. Zero fields do not matter.
type Filter struct {
	Identity string    // any actor of the chain
	Target   string    // its name
	Since    time.Time // started at or after
	Until    time.Time // started before
	Verdict  string    // has an action with it: "allow", "block", "hold"
	Table    string    // reads or writes it: "schema.name" or "name"
	Verb     string
	Live     *bool
	Limit    int    // 0 means 100; at most 10,000
	Cursor   string // Page.Next of the page before
}

// Page is some sessions, newest first.
type Page struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"` // "" at the end
}

// Action is one action as the index has it.
type Action struct {
	Session     string        `json:"session"`
	Ordinal     uint64        `json:"ordinal"`
	Time        time.Time     `json:"time"`
	Kind        string        `json:"kind"`
	Verdict     string        `json:"verdict"`
	Rule        string        `json:"rule"`
	Reason      string        `json:"reason,omitempty"`
	Verbs       []string      `json:"verbs"`
	Tables      []string      `json:"tables"`
	Fingerprint string        `json:"fingerprint"`
	Text        string        `json:"text"` // at most 4 KiB of it
	Hold        string        `json:"hold,omitempty"`
	HoldState   string        `json:"hold_state,omitempty"`
	DecidedBy   []string      `json:"decided_by,omitempty"`
	Status      string        `json:"status,omitempty"` // "" while it runs
	Code        string        `json:"code,omitempty"`
	Message     string        `json:"message,omitempty"`
	Tag         string        `json:"tag,omitempty"`
	Rows        int64         `json:"rows"`
	Bytes       int64         `json:"bytes"`
	Masked      int64         `json:"masked"`
	Duration    time.Duration `json:"duration"`
}

const sessionColumns = `id, file, node, target, protocol, subject, on_behalf_of, actors, groups, issuer, method, started, ended,
 live, reason, message, lost, client, application, database, user, actions, allowed, blocked, held, rows, bytes, masked,
 frames, stream, undecoded, sealed, hash`

// where is a growing condition.
type where struct {
	parts []string
	args  []any
}

func (w *where) and(cond string, args ...any) {
	w.parts = append(w.parts, cond)
	w.args = append(w.args, args...)
}

func (w *where) fact(kind, value string) {
	if value != "" {
		w.and("id IN (SELECT session FROM facts WHERE kind = ? AND value = ?)", kind, value)
	}
}

func (f Filter) where() (*where, error) {
	w := &where{parts: []string{"1"}}
	w.fact(factActor, f.Identity)
	w.fact(factTable, strings.ToLower(f.Table))
	w.fact(factVerb, strings.ToLower(f.Verb))
	if f.Target != "" {
		w.and("target = ?", f.Target)
	}
	if !f.Since.IsZero() {
		w.and("started >= ?", unix(f.Since))
	}
	if !f.Until.IsZero() {
		w.and("started < ?", unix(f.Until))
	}
	if f.Live != nil {
		w.and("live = ?", *f.Live)
	}
	switch f.Verdict {
	case "":
	case "allow":
		w.and("allowed > 0")
	case "block":
		w.and("blocked > 0")
	case "hold":
		w.and("held > 0")
	default:
		return nil, fmt.Errorf("audit: verdict %q: must be allow, block or hold", f.Verdict)
	}
	if f.Cursor != "" {
		at, id, ok := strings.Cut(f.Cursor, ":")
		n, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("audit: cursor %q is not one of ours", f.Cursor)
		}
		w.and("(started, id) < (?, ?)", n, id)
	}
	return w, nil
}

// List returns sessions, newest first.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	w, err := f.where()
	if err != nil {
		return Page{}, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	q := "SELECT " + sessionColumns + " FROM sessions WHERE " + strings.Join(w.parts, " AND ") +
		" ORDER BY started DESC, id DESC LIMIT ?"
	rows, err := s.rdb.QueryContext(ctx, q, append(w.args, limit+1)...)
	if err != nil {
		return Page{}, fmt.Errorf("audit: list: %w", err)
	}
	defer rows.Close()
	p := Page{Sessions: []Session{}}
	for rows.Next() {
		r, err := scanSession(rows)
		if err != nil {
			return Page{}, fmt.Errorf("audit: list: %w", err)
		}
		if len(p.Sessions) == limit {
			last := p.Sessions[limit-1]
			p.Next = fmt.Sprintf("%d:%s", unix(last.Started), last.ID)
			break
		}
		p.Sessions = append(p.Sessions, r)
	}
	return p, rows.Err()
}

// Get returns one session, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Session, error) {
	r, err := scanSession(s.rdb.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM sessions WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, fmt.Errorf("audit: %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Session{}, fmt.Errorf("audit: %s: %w", id, err)
	}
	return r, nil
}

func scanSession(row interface{ Scan(...any) error }) (Session, error) {
	var r Session
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

// Actions returns a session's actions after an ordinal, in order; limit as in Filter.
func (s *Store) Actions(ctx context.Context, id string, after uint64, limit int) ([]Action, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	rows, err := s.rdb.QueryContext(ctx, `SELECT session, ordinal, time, kind, verdict, rule, why, verbs, tables, fingerprint, text,
 hold, hold_state, decided_by, status, code, message, tag, rows, bytes, masked, duration
 FROM actions WHERE session = ? AND ordinal > ? ORDER BY ordinal LIMIT ?`, id, int64(min(after, 1<<62)), min(limit, maxLimit))
	if err != nil {
		return nil, fmt.Errorf("audit: actions: %w", err)
	}
	defer rows.Close()
	all := []Action{}
	for rows.Next() {
		var a Action
		var verbs, tables, by string
		var at, n int64
		if err := rows.Scan(&a.Session, &n, &at, &a.Kind, &a.Verdict, &a.Rule, &a.Reason, &verbs, &tables, &a.Fingerprint, &a.Text,
			&a.Hold, &a.HoldState, &by, &a.Status, &a.Code, &a.Message, &a.Tag, &a.Rows, &a.Bytes, &a.Masked, &a.Duration); err != nil {
			return nil, fmt.Errorf("audit: actions: %w", err)
		}
		a.Ordinal, a.Time = uint64(n), moment(at)
		if err := errors.Join(json.Unmarshal([]byte(verbs), &a.Verbs), json.Unmarshal([]byte(tables), &a.Tables),
			json.Unmarshal([]byte(by), &a.DecidedBy)); err != nil {
			return nil, fmt.Errorf("audit: actions: %w", err)
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

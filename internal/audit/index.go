package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// maxText bounds what the index keeps of an action's text; the record has all of it.
const maxText = 4096

// Kinds of facts: what a session can be found by.
const (
	factActor = "actor"
	factTable = "table"
	factVerb  = "verb"
)

type actionKey struct {
	session string
	ordinal uint64
}

type fact struct{ kind, value, session string }

// ops are the index changes of one batch. All are idempotent: frames may be indexed again.
type ops struct {
	sessions []*Session
	actions  map[actionKey]*actionOp
	order    []actionKey
	facts    []fact
	decoder  record.ActionDecoder
}

// actionOp is what a batch says of one action: each part may be there or not.
type actionOp struct {
	base   *Action
	hold   *hold.Hold
	result *record.Result
}

func (o *ops) action(session string, ordinal uint64) *actionOp {
	k := actionKey{session, ordinal}
	a := o.actions[k]
	if a == nil {
		a = &actionOp{}
		if o.actions == nil {
			o.actions = map[actionKey]*actionOp{}
		}
		o.actions[k] = a
		o.order = append(o.order, k)
	}
	return a
}

// frame indexes one frame. A payload that cannot be decoded is counted: the record is what
// matters, and it must not be refused for the index's sake.
func (o *ops) frame(l *session, f record.Frame) error {
	var err error
	switch f.Kind {
	case record.KindOpen:
		err = o.open(l, f)
	case record.KindAction:
		err = o.decision(l, f)
	case record.KindHold:
		var h hold.Hold
		if err = json.Unmarshal(f.Payload, &h); err == nil && f.Action > 0 {
			o.action(l.id, f.Action).hold = &h
		}
	case record.KindResult:
		var r record.Result
		if err = record.DecodeResult(f.Payload, &r); err == nil {
			l.row.Rows += r.Rows
			l.row.Bytes += r.Bytes
			l.row.Masked += r.Masked
			o.action(l.id, f.Action).result = &r
		}
	case record.KindClose:
		var c record.Close
		if err = json.Unmarshal(f.Payload, &c); err == nil {
			l.row.Reason, l.row.Message = c.Reason, bounded(c.Message)
		}
		l.row.Ended, l.row.Lost = f.Time, f.Recovered
	}
	if err != nil {
		l.row.Undecoded++
	}
	return nil
}

func (o *ops) open(l *session, f record.Frame) error {
	var p record.Open
	if err := json.Unmarshal(f.Payload, &p); err != nil {
		return err
	}
	r := &l.row
	r.Target, r.Protocol = p.Target.Name, p.Target.Protocol
	r.Subject, r.OnBehalfOf = p.Identity.Subject, p.Identity.OnBehalfOf
	r.Actors, r.Groups = orEmpty(p.Identity.Actors), orEmpty(p.Identity.Groups)
	r.Issuer, r.Method = p.Identity.Issuer, p.Identity.Method
	r.Started = f.Time
	r.Client, r.Application = p.Session.Client, bounded(p.Session.Application)
	r.Database, r.User = bounded(p.Session.Database), bounded(p.Session.User)
	if r.Node == "" {
		r.Node = p.Node
	}
	for _, a := range append(slices.Clone(r.Actors), r.Subject) {
		o.fact(l, factActor, a)
	}
	return nil
}

func (o *ops) decision(l *session, f record.Frame) error {
	var p record.ActionPayload
	err := o.decoder.Decode(f.Payload, &p)
	l.row.Actions++
	switch p.Decision.Verdict {
	case policy.Allow:
		l.row.Allowed++
	case policy.Hold:
		l.row.Held++
	default:
		l.row.Blocked++
	}
	a := &Action{Session: l.id, Ordinal: f.Action, Time: f.Time, Kind: p.Action.Kind,
		Verdict: p.Decision.Verdict.String(), Rule: p.Decision.Rule, Reason: bounded(p.Decision.Reason),
		Verbs: orEmpty(p.Action.Verbs), Tables: []string{}, Fingerprint: p.Action.Fingerprint, Text: bounded(p.Action.Text)}
	for _, obj := range append(slices.Clone(p.Action.Reads), p.Action.Writes...) {
		if name := tableName(obj); !slices.Contains(a.Tables, name) {
			a.Tables = append(a.Tables, name)
		}
		o.fact(l, factTable, strings.ToLower(tableName(obj)))
		o.fact(l, factTable, strings.ToLower(obj.Name))
	}
	for _, v := range a.Verbs {
		o.fact(l, factVerb, v)
	}
	o.action(l.id, f.Action).base = a
	return err
}

func (o *ops) fact(l *session, kind, value string) {
	if key := kind + "\x00" + value; !l.facts[key] && value != "" {
		l.facts[key] = true
		o.facts = append(o.facts, fact{kind, value, l.id})
	}
}

func tableName(o action.Object) string {
	if o.Schema == "" {
		return o.Name
	}
	return o.Schema + "." + o.Name
}

// bounded cuts text at a rune's end, and makes it valid UTF-8.
func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if n := len(s); n > 0 && s[n-1] >= utf8.RuneSelf {
			s = s[:n-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func jsonOf(v []string) string {
	b, _ := json.Marshal(orEmpty(v)) // strings always marshal
	return string(b)
}

const (
	sqlSession = `INSERT OR REPLACE INTO sessions (id, file, node, target, protocol, subject, on_behalf_of, actors, groups,
 issuer, method, started, ended, live, reason, message, lost, client, application, database, user,
 actions, allowed, blocked, held, rows, bytes, masked, frames, stream, undecoded, sealed, hash)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	sqlBase = `INSERT INTO actions (session, ordinal, time, kind, verdict, rule, why, verbs, tables, fingerprint, text`
	sqlSet  = ` ON CONFLICT (session, ordinal) DO UPDATE SET time = excluded.time, kind = excluded.kind,
 verdict = excluded.verdict, rule = excluded.rule, why = excluded.why, verbs = excluded.verbs, tables = excluded.tables,
 fingerprint = excluded.fingerprint, text = excluded.text`
	sqlAction = sqlBase + `) VALUES (?,?,?,?,?,?,?,?,?,?,?)` + sqlSet
	sqlWhole  = sqlBase + `, status, code, message, tag, rows, bytes, masked, duration)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)` + sqlSet + `, status = excluded.status, code = excluded.code,
 message = excluded.message, tag = excluded.tag, rows = excluded.rows, bytes = excluded.bytes, masked = excluded.masked,
 duration = excluded.duration`
	sqlHold = `INSERT INTO actions (session, ordinal, time, kind, verdict, rule, why, verbs, tables, fingerprint, text,
 hold, hold_state, decided_by) VALUES (?,?,?,?,'hold',?,?,'[]','[]','','',?,?,?) ON CONFLICT (session, ordinal)
 DO UPDATE SET hold = excluded.hold, hold_state = excluded.hold_state, decided_by = excluded.decided_by`
	sqlResult = `UPDATE actions SET status = ?, code = ?, message = ?, tag = ?, rows = ?, bytes = ?, masked = ?, duration = ?
 WHERE session = ? AND ordinal = ?`
	sqlFact = `INSERT OR IGNORE INTO facts (kind, value, session) VALUES (?,?,?)`
)

// commit writes the batch in one transaction.
func (o *ops) commit(ctx context.Context, db *sql.DB) error {
	if len(o.sessions)+len(o.order)+len(o.facts) == 0 {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit: nothing
	st := &statements{ctx: ctx, tx: tx, made: map[string]*sql.Stmt{}}
	for _, r := range o.sessions {
		st.exec(sqlSession, r.values()...)
	}
	for _, k := range o.order {
		o.actions[k].exec(st, k)
	}
	for _, f := range o.facts {
		st.exec(sqlFact, f.kind, f.value, f.session)
	}
	if st.err != nil {
		return st.err
	}
	return tx.Commit()
}

func (r *Session) values() []any {
	return []any{r.ID, r.File, r.Node, r.Target, r.Protocol, r.Subject, r.OnBehalfOf, jsonOf(r.Actors), jsonOf(r.Groups),
		r.Issuer, r.Method, unix(r.Started), unix(r.Ended), r.Live, r.Reason, r.Message, r.Lost, r.Client, r.Application, r.Database, r.User,
		r.Actions, r.Allowed, r.Blocked, r.Held, r.Rows, r.Bytes, r.Masked, int64(r.Frames), int64(r.Stream), r.Undecoded, r.Sealed, r.Hash}
}

func (a *actionOp) exec(st *statements, k actionKey) {
	n := int64(k.ordinal)
	if b := a.base; b != nil {
		v := []any{k.session, n, unix(b.Time), b.Kind, b.Verdict, b.Rule, b.Reason, jsonOf(b.Verbs), jsonOf(b.Tables), b.Fingerprint, b.Text}
		if r := a.result; r != nil { // the common case: one write
			st.exec(sqlWhole, append(v, r.Status, r.Code, bounded(r.Message), r.Tag, r.Rows, r.Bytes, r.Masked, int64(r.Duration))...)
		} else {
			st.exec(sqlAction, v...)
		}
	}
	if h := a.hold; h != nil {
		var by []string
		for _, d := range h.Decisions {
			by = append(by, d.By.Subject)
		}
		st.exec(sqlHold, k.session, n, unix(h.Created), h.Action.Kind, h.Rule, bounded(h.Reason), h.ID, string(h.State), jsonOf(by))
	}
	if r := a.result; r != nil && a.base == nil {
		st.exec(sqlResult, r.Status, r.Code, bounded(r.Message), r.Tag, r.Rows, r.Bytes, r.Masked, int64(r.Duration), k.session, n)
	}
}

// statements prepares each text once a transaction and keeps the first error.
type statements struct {
	ctx  context.Context
	tx   *sql.Tx
	made map[string]*sql.Stmt
	err  error
}

func (s *statements) exec(text string, args ...any) {
	if s.err != nil {
		return
	}
	st := s.made[text]
	if st == nil {
		if st, s.err = s.tx.PrepareContext(s.ctx, text); s.err != nil {
			return
		}
		s.made[text] = st
	}
	_, s.err = st.ExecContext(s.ctx, args...)
}

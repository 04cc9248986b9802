package sqlindex

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/audit/index"
)

const (
	sqlBase   = `INSERT INTO actions (n, ordinal, time, kind, verdict, rule, why, verbs, tables, fingerprint, text`
	setBase   = ` ON CONFLICT (n, ordinal) DO UPDATE SET time = excluded.time, kind = excluded.kind, verdict = excluded.verdict, rule = excluded.rule, why = excluded.why, verbs = excluded.verbs, tables = excluded.tables, fingerprint = excluded.fingerprint, text = excluded.text`
	setResult = `, status = excluded.status, code = excluded.code, message = excluded.message, tag = excluded.tag, rows = excluded.rows, bytes = excluded.bytes, masked = excluded.masked, duration = excluded.duration`
	sqlHeld   = sqlBase + `, hold, hold_state, decided_by) VALUES (?,?,?,?,'hold',?,?,'[]','[]','','',?,?,?) ON CONFLICT (n, ordinal)
 DO UPDATE SET hold = excluded.hold, hold_state = excluded.hold_state, decided_by = excluded.decided_by`
	sqlResult = `UPDATE actions SET status = ?, code = ?, message = ?, tag = ?, rows = ?, bytes = ?, masked = ?, duration = ? WHERE n = ? AND ordinal = ?`
)

// actions writes descriptions first, many at once, then what later frames say of them.
func (w *writing) actions(all []index.Change) {
	var bases, wholes [][]any
	var last struct { // most actions are like the one before
		verbs, tables []string
		json          [2]any
	}
	for _, a := range all {
		b := a.Base
		if b == nil {
			continue
		}
		if last.json[0] == nil || !slices.Equal(b.Verbs, last.verbs) || !slices.Equal(b.Tables, last.tables) {
			last.verbs, last.tables = b.Verbs, b.Tables
			last.json = [2]any{jsonOf(b.Verbs), jsonOf(b.Tables)}
		}
		v := append(make([]any, 0, 19), w.key(a.Session), int64(a.Ordinal), unix(b.Time), b.Kind, b.Verdict, b.Rule, b.Reason,
			last.json[0], last.json[1], b.Fingerprint, b.Text)
		if a.Result != nil { // the common case
			wholes = append(wholes, append(v, outcome(&a)...))
		} else {
			bases = append(bases, v)
		}
	}
	w.st.rows(sqlBase+") VALUES ", bases, setBase)
	w.st.rows(sqlBase+", status, code, message, tag, rows, bytes, masked, duration) VALUES ", wholes, setBase+setResult)
	for _, a := range all {
		n := w.key(a.Session)
		if h := a.Held; h != nil {
			w.st.exec(sqlHeld, n, int64(a.Ordinal), unix(h.Created), h.Kind, h.Rule, h.Reason, h.ID, h.State, jsonOf(h.By))
		}
		if a.Result != nil && a.Base == nil {
			w.st.exec(sqlResult, append(outcome(&a), n, int64(a.Ordinal))...)
		}
	}
}

func outcome(a *index.Change) []any {
	r := a.Result
	return []any{r.Status, r.Code, r.Message, r.Tag, r.Rows, r.Bytes, r.Masked, int64(r.Duration)}
}

// Actions implements index.Index.
func (x *Index) Actions(ctx context.Context, id string, after uint64, limit int) ([]index.Action, error) {
	q := index.Query{Limit: limit}
	rows, err := x.rdb.QueryContext(ctx, x.d.bind(`SELECT `+actionColumns+` FROM actions
 WHERE n = (SELECT n FROM sessions WHERE id = ?) AND ordinal > ? ORDER BY ordinal LIMIT ?`), index.Bounded(id, index.MaxValue), int64(min(after, 1<<62)), q.Size())
	if err != nil {
		return nil, failed("actions", err)
	}
	defer rows.Close()
	all := []index.Action{}
	for rows.Next() {
		a := index.Action{Session: strings.Clone(id)}
		var verbs, tables, by string
		var at, n, took int64
		if err := rows.Scan(&n, &at, &a.Kind, &a.Verdict, &a.Rule, &a.Reason, &verbs, &tables, &a.Fingerprint, &a.Text,
			&a.Hold, &a.HoldState, &by, &a.Status, &a.Code, &a.Message, &a.Tag, &a.Rows, &a.Bytes, &a.Masked, &took); err != nil {
			return nil, failed("actions", err)
		}
		a.Ordinal, a.Time, a.Duration = uint64(n), moment(at), duration(took)
		if err := errors.Join(json.Unmarshal([]byte(verbs), &a.Verbs), json.Unmarshal([]byte(tables), &a.Tables),
			json.Unmarshal([]byte(by), &a.DecidedBy)); err != nil {
			return nil, failed("actions", err)
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

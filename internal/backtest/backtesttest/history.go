// Package backtesttest makes history for tests and measurements: sessions of a shop's analysts,
// administrators and agents, in a real audit store, judged by a real policy.
package backtesttest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/internal/sql"
)

// Session is one session to be written.
type Session struct {
	Open    record.Open
	Actions []record.ActionPayload
	// Response is how many bytes came back for each action.
	Response int
	Live     bool // it has not ended
}

// Key signs the digests of stores made here.
func Key() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("history for tests"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Write puts sessions into the audit store at dir the way that nodes ship them: through a spool, in order. The
// clock of frames is at the session's start and moves on a second with each action.
func Write(ctx context.Context, dir string, sessions ...Session) (err error) {
	spool, err := os.MkdirTemp("", "backtest-spool-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(spool)) }()
	store, err := audit.Open(dir, audit.Options{Key: Key()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	now := time.Time{}
	sp, err := record.OpenSpool(spool, record.Options{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer sp.Close()
	var sealed []string
	for i := range sessions {
		now = sessions[i].Open.Session.Started
		if err := write(sp, &sessions[i], &now); err != nil {
			return err
		}
		id := sessions[i].Open.Session.ID
		if err := shipAll(ctx, sp, store, id); err != nil {
			return err
		}
		if !sessions[i].Live {
			sealed = append(sealed, id)
		}
	}
	return wait(ctx, store, sealed)
}

func write(sp *record.Spool, s *Session, now *time.Time) error {
	w, err := sp.Begin(record.ModeWrite, s.Open)
	if err != nil {
		return err
	}
	answer := make([]byte, s.Response)
	for i := range s.Actions {
		*now = now.Add(time.Second)
		n := uint64(i + 1)
		if err := w.AppendJSON(record.KindAction, n, &s.Actions[i]); err != nil {
			return err
		}
		if len(answer) > 0 {
			for k := range answer {
				answer[k] = byte(rand.IntN(64) + ' ')
			}
			if err := w.Append(record.KindResponse, n, answer); err != nil {
				return err
			}
		}
		if err := w.AppendJSON(record.KindResult, n, record.Result{Status: "ok", Rows: 1, Bytes: int64(len(answer))}); err != nil {
			return err
		}
	}
	if s.Live {
		return w.Flush()
	}
	return w.Close(record.Close{Reason: "client", Actions: uint64(len(s.Actions))})
}

func shipAll(ctx context.Context, sp *record.Spool, store *audit.Store, id string) error {
	buf := make([]byte, 256<<10)
	for off := uint64(0); ; {
		n, err := sp.ReadAt(id, buf, off)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return nil
		}
		acks, err := store.Append(ctx, "node-1", []ship.Chunk{{Session: id, Offset: off, Data: buf[:n]}})
		if err != nil {
			return err
		}
		for _, a := range acks {
			if a.Retry || a.Diverged {
				return fmt.Errorf("session %s is not taken: %+v", id, a)
			}
		}
		off += uint64(n)
	}
}

// wait until the sessions are sealed.
func wait(ctx context.Context, store *audit.Store, ids []string) error {
	for _, id := range ids {
		for {
			s, err := store.Get(ctx, id)
			if err != nil {
				return err
			}
			if s.Sealed {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// Statement is a statement with its lineage, as the analyzer would give it.
type Statement = sql.Statement

// Judge makes the record of a statement: with the decision of a policy.
func Judge(e *policy.Engine, open record.Open, st *Statement) record.ActionPayload {
	d := e.Judge(context.Background(), &policy.Input{Version: policy.InputVersion, Identity: open.Identity, Target: open.Target,
		Session: open.Session, Action: st.Action}, st)
	return record.ActionPayload{Action: st.Action, Decision: d}
}

// Open is the opening of a session.
func Open(id string, started time.Time, target string, groups []string, chain ...string) record.Open {
	who := identity.New(chain...)
	who.Groups = groups
	return record.Open{Session: policy.Session{ID: id, Started: started, Client: "192.0.2.7:51000", Application: "psql", Database: target, User: "app"},
		Target: policy.Target{Name: target, Protocol: "postgres", Labels: map[string]string{"env": "demo"}}, Identity: who, Node: "node-1",
		Decision: policy.Decision{Verdict: policy.Allow, Rule: policy.BuiltinConnect}}
}

// Copy copies a store's record files with their times, as a backup does.
func Copy(from, to string) error {
	return filepath.Walk(filepath.Join(from, "sessions"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(dst, b, 0o600); err != nil {
			return err
		}
		return os.Chtimes(dst, info.ModTime(), info.ModTime())
	})
}

// Select is a SELECT of columns of one table, by some of them.
func Select(text, table string, columns, by []string) *Statement {
	st := &Statement{Returns: true, Outputs: []sql.Output{}, Action: action.Action{Kind: action.KindSQL, Verbs: []string{"select"}, Text: text,
		Reads:  []action.Object{{Schema: "public", Name: table, Columns: columns, Resolved: true}},
		Writes: []action.Object{}, Functions: []action.Function{}, Features: map[string]any{"where": len(by) > 0}, Params: []action.Param{},
		Fingerprint: fmt.Sprintf("%x", sha256.Sum256([]byte(table+fmt.Sprint(columns, by))))[:16]}}
	for _, c := range columns {
		st.Outputs = append(st.Outputs, sql.Output{Name: c, Origins: []sql.Column{{Schema: "public", Table: table, Name: c}}, Direct: true})
	}
	for _, c := range by {
		st.Probes = append(st.Probes, sql.Column{Schema: "public", Table: table, Name: c})
	}
	return st
}

// Change is an INSERT, UPDATE or DELETE of a table.
func Change(verb, text, table string, columns []string, where bool) *Statement {
	return &Statement{Action: action.Action{Kind: action.KindSQL, Verbs: []string{verb}, Text: text, Reads: []action.Object{},
		Writes:    []action.Object{{Schema: "public", Name: table, Columns: columns, Resolved: true}},
		Functions: []action.Function{}, Features: map[string]any{"where": where}, Params: []action.Param{}}}
}

package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/record"
)

func fsync(g *gateway) { g.cfg.Durability = nodeconfig.DurabilityFsync }

// TestFsync: everything works the same when each batch waits for the disk, and its order is kept.
func TestFsync(t *testing.T) {
	g := start(t, bundle(t, guarded, ""), fsync)
	d := direct(t)
	do(t, d, "drop table if exists fs; create table fs(x int)")
	var wg sync.WaitGroup
	for range 4 {
		c := g.connect(t, "")
		wg.Go(func() {
			for i := range 50 {
				if _, err := c.Exec(context.Background(), "insert into fs values ($1)", i); err != nil {
					t.Error(err)
				}
				b := &pgx.Batch{}
				for k := range 5 {
					b.Queue("select $1::int", k)
				}
				r := c.SendBatch(context.Background(), b)
				for k := range 5 {
					var n int
					if err := r.QueryRow().Scan(&n); err != nil || n != k {
						t.Error(n, err)
					}
				}
				r.Close()
			}
			_, err := c.Exec(context.Background(), "drop table fs")
			if pe := asPgError(err); pe == nil || pe.Code != "42501" {
				t.Error(err)
			}
			c.Close(context.Background())
		})
	}
	wg.Wait()
	for id, list := range g.records(t) {
		if last := list[len(list)-1]; last.Kind != record.KindClose {
			t.Errorf("%s ends with a frame of kind %d", id, last.Kind)
		}
	}
}

// TestRecordIsWhatHappened: requests and responses in the record are the bytes that passed, in order, and
// each action has its decision before it and its result after it.
func TestRecord(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "&default_query_exec_mode=exec")
	var s string
	if err := c.QueryRow(ctxT(t), "select 'marker-' || $1::text", "one").Scan(&s); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec(ctxT(t), "drop table nothing")
	wantErr(t, err, "42501")
	c.Close(ctxT(t))
	for _, list := range g.records(t) {
		state := map[uint64]record.Kind{}
		var responses []byte
		var actions []record.ActionPayload
		for _, f := range list {
			switch f.Kind {
			case record.KindAction:
				var p record.ActionPayload
				if err := json.Unmarshal(f.Payload, &p); err != nil {
					t.Fatal(err)
				}
				actions = append(actions, p)
			case record.KindRequest:
				if f.Action != 0 && state[f.Action] == 0 {
					t.Errorf("request of action %d before its decision", f.Action)
				}
			case record.KindResponse:
				responses = append(responses, f.Payload...)
			case record.KindResult:
				var r record.Result
				if err := json.Unmarshal(f.Payload, &r); err != nil {
					t.Fatal(err)
				}
				if f.Action == 1 && (r.Status != "ok" || r.Rows != 1 || r.Tag != "SELECT 1") || f.Action == 2 && (r.Status != "blocked" || r.Code != "42501") {
					t.Errorf("action %d: %+v", f.Action, r)
				}
			}
			if f.Action != 0 {
				state[f.Action] = f.Kind
			}
		}
		if len(actions) != 2 || actions[0].Action.Params[0].Value != "one" || !strings.Contains(actions[0].Action.Text, "marker") {
			t.Errorf("%+v", actions)
		}
		if !bytes.Contains(responses, []byte("marker-one")) || !bytes.Contains(responses, []byte("no-drop")) {
			t.Error("responses are not in the record")
		}
	}
}

func TestEndSession(t *testing.T) {
	for _, o := range []option{func(*gateway) {}, fsync} {
		g := start(t, bundle(t, guarded, ""), o)
		c := g.connect(t, "")
		var id string
		for name := range g.recordsNow(t) {
			id = name
		}
		if !g.rt.EndSession(id, "revoked", "its credential was revoked") {
			t.Fatal("no such session")
		}
		m, err := c.PgConn().Frontend().Receive()
		if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "57P01" || e.Severity != "FATAL" || !strings.Contains(e.Message, "revoked") {
			t.Fatalf("%+v %v", m, err)
		}
		g.closedFor(t, "revoked")
	}
}

// closedFor wants every session's last frame to say why it ended.
func (g *gateway) closedFor(t *testing.T, reason string) {
	t.Helper()
	for id, list := range g.records(t) {
		var cl record.Close
		last := list[len(list)-1]
		if last.Kind != record.KindClose || json.Unmarshal(last.Payload, &cl) != nil || cl.Reason != reason {
			t.Errorf("%s ends with %d %s", id, last.Kind, last.Payload)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	g := start(t, bundle(t, guarded, ""), func(g *gateway) { g.authz.ends = 5 * time.Second })
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	_, err := c.Exec(ctxT(t), "select pg_sleep(100)")
	wantErr(t, err, "57P01")
	g.closedFor(t, "expired")

	g = start(t, bundle(t, guarded, ""), func(g *gateway) { g.cfg.Limits.IdleTimeout = 4 * time.Second })
	c = g.connect(t, "&default_query_exec_mode=simple_protocol")
	for range 5 {
		time.Sleep(time.Second)
		do(t, c, "select 1")
	}
	if _, err := c.PgConn().Frontend().Receive(); err != nil {
		t.Fatal(err)
	}
	g.closedFor(t, "expired")
}

// TestRecordFull: what cannot be recorded does not happen, and the session goes on when there is room again.
func TestRecordFull(t *testing.T) {
	d := direct(t)
	do(t, d, "drop table if exists full_t; create table full_t(x text)")
	g := start(t, bundle(t, guarded, ""), func(g *gateway) { g.budget = 64 << 10 })
	c := g.connect(t, "&default_query_exec_mode=exec")
	refused := 0
	for range 40 {
		_, err := c.Exec(ctxT(t), "insert into full_t values ($1)", strings.Repeat("x", 4000))
		if err == nil {
			continue
		}
		pe := asPgError(err)
		if pe == nil || pe.Code != "53100" {
			t.Fatal(err)
		}
		if refused++; pe.Severity == "FATAL" {
			break
		}
	}
	if refused == 0 {
		t.Fatal("nothing was refused")
	}
	var n int
	if err := d.QueryRow(ctxT(t), "select count(*) from full_t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	recorded := 0
	for _, list := range g.recordsNow(t) {
		for _, f := range list {
			if f.Kind == record.KindRequest && bytes.Contains(f.Payload, bytes.Repeat([]byte("x"), 4000)) {
				recorded++
			}
		}
	}
	if n > recorded || n == 0 {
		t.Fatalf("%d rows, %d recorded requests", n, recorded)
	}
}

// TestLongValuesInBoundedMemory: rows and COPY data of hundreds of megabytes pass without being held.
func TestLongValuesInBoundedMemory(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	var peak uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	})
	var w counting
	if _, err := c.PgConn().CopyTo(ctxT(t), &w, "copy (select repeat('x', 50000000) from generate_series(1, 6)) to stdout"); err != nil || w < 300_000_000 {
		t.Fatal(w, err)
	}
	close(stop)
	wg.Wait()
	// The client of this test holds a message of 50 MB, and the host's queue is without bound.
	t.Logf("peak heap %d MiB for %d MiB", peak>>20, w>>20)
}

type counting int

func (w *counting) Write(b []byte) (int, error) { *w += counting(len(b)); return len(b), nil }

func TestManySessions(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c, err := pgx.Connect(context.Background(), g.url(""))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close(context.Background())
			for k := range 20 {
				var n int
				if err := c.QueryRow(context.Background(), "select $1::int * 2", i+k).Scan(&n); err != nil || n != 2*(i+k) {
					t.Error(n, err)
				}
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(60 * time.Second); g.rt.Sessions() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sessions are left", g.rt.Sessions())
		}
	}
}

package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

var update = flag.Bool("update", false, "write golden files")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// list is a Source of frames made by hand.
type list struct {
	frames []record.Frame
	at     time.Time
}

func newList() *list { return &list{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (l *list) add(kind record.Kind, action uint64, payload []byte) {
	l.frames = append(l.frames, record.Frame{Seq: uint64(len(l.frames)), Time: l.at, Kind: kind, Action: action, Payload: payload})
	l.at = l.at.Add(250 * time.Millisecond)
}

func (l *list) json(t testing.TB, kind record.Kind, action uint64, v any) {
	b, err := json.Marshal(v)
	must(t, err)
	l.add(kind, action, b)
}

func (l *list) source() Source { return &iterator{frames: l.frames} }

type iterator struct{ frames []record.Frame }

func (i *iterator) Next() (record.Frame, error) {
	if len(i.frames) == 0 {
		return record.Frame{}, io.EOF
	}
	f := i.frames[0]
	i.frames = i.frames[1:]
	return f, nil
}

func back(t testing.TB, msgs ...pgproto3.BackendMessage) []byte {
	var b []byte
	for _, m := range msgs {
		var err error
		b, err = m.Encode(b)
		must(t, err)
	}
	return b
}

func column(name string, oid uint32, format int16) pgproto3.FieldDescription {
	return pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: oid, Format: format}
}

func inBinary(t testing.TB, oid uint32, v any) []byte {
	b, err := pgtype.NewMap().Encode(oid, pgtype.BinaryFormatCode, v, nil)
	must(t, err)
	return b
}

// session is a session with a bit of everything.
func session(t testing.TB) *list {
	l := newList()
	who := identity.New("user:alice@example.com", "agent:ci-bot")
	who.Groups, who.Method, who.Issuer = []string{"analysts"}, "token", "dragoman"
	l.json(t, record.KindOpen, 0, record.Open{Format: 1, Node: "edge", Identity: who, Target: policy.Target{Name: "shop", Protocol: "postgres"},
		Session: policy.Session{ID: "ses_a", Client: "127.0.0.1:5000", Application: "psql", Database: "shop"}, Decision: policy.Decision{Verdict: policy.Allow, Rule: "open"}})
	l.json(t, record.KindAction, 1, record.ActionPayload{Action: action.Action{Kind: "sql", Text: "select id, email\nfrom customers where id < $1",
		Params: []action.Param{{Value: "3"}}}, Decision: policy.Decision{Verdict: policy.Allow, Rule: "read"}})
	l.add(record.KindRequest, 1, append([]byte("Q\x00\x00\x00\x0d"), "select 1\x00"...))
	l.add(record.KindResponse, 1, back(t,
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column("id", 23, 1), column("email", 25, 0), column("at", 1184, 1), column("odd", 999999, 1)}},
		&pgproto3.DataRow{Values: [][]byte{inBinary(t, 23, int32(7)), []byte("a***@example.com"), inBinary(t, 1184, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), {1, 2}}},
		&pgproto3.DataRow{Values: [][]byte{inBinary(t, 23, int32(-8)), nil, nil, []byte("x")}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 2")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	l.json(t, record.KindResult, 1, record.Result{Status: "ok", Tag: "SELECT 2", Rows: 2, Bytes: 120, Masked: 1, Duration: 3 * time.Millisecond})
	l.json(t, record.KindAction, 2, record.ActionPayload{Action: action.Action{Text: "drop table customers -- \x1b[2J"},
		Decision: policy.Decision{Rule: "ddl", Reason: "DDL is not allowed here"}})
	l.add(record.KindResponse, 2, back(t, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "blocked\x1b[31m", Detail: "rule: ddl", Hint: "ask"}))
	l.json(t, record.KindResult, 2, record.Result{Status: "blocked", Code: "42501"})
	l.json(t, record.KindAction, 3, record.ActionPayload{Action: action.Action{Text: "update orders set done = true where id = 1"}, Decision: policy.Decision{Verdict: policy.Hold, Rule: "writes"}})
	h := hold.Hold{ID: "hld_x", State: hold.Pending, Approvers: []string{"dba"}, Deadline: l.at.Add(time.Minute)}
	l.json(t, record.KindHold, 3, h)
	h.State, h.Decisions = hold.Used, []hold.Decision{{By: identity.New("user:dana@example.com"), Group: "dba", Approve: true, Reason: "fine", At: l.at, Via: "admin-socket"}}
	l.json(t, record.KindHold, 3, h)
	l.json(t, record.KindNote, 0, record.Note{What: "policy push", Detail: map[string]any{"revision": "r2"}})
	l.add(record.KindResponse, 3, back(t, &pgproto3.CommandComplete{CommandTag: []byte("UPDATE 1")}, &pgproto3.CopyData{Data: []byte("1\t\xe2\x80\xaeb\n")}, &pgproto3.CopyData{Data: []byte{0xff, 0}}))
	l.json(t, record.KindClose, 0, record.Close{Reason: "client", Actions: 3, Bytes: 300, Duration: 4 * time.Second})
	return l
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it):\n%s", name, got)
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	must(t, Text(t.Context(), &b, session(t).source(), Options{}))
	golden(t, "session.txt", b.Bytes())
	if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("control character at %d", i)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	must(t, JSON(t.Context(), &b, session(t).source(), Options{}))
	golden(t, "session.jsonl", b.Bytes())
	for _, l := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
}

// TestFramesCutAnywhere: however the wire bytes were cut into frames, the text is the same.
func TestFramesCutAnywhere(t *testing.T) {
	var want bytes.Buffer
	must(t, Text(t.Context(), &want, session(t).source(), Options{}))
	for _, step := range []int{1, 3, 7, 50} {
		l := &list{}
		for _, f := range session(t).frames {
			if f.Kind != record.KindResponse && f.Kind != record.KindRequest {
				l.frames = append(l.frames, f)
				continue
			}
			for p := f.Payload; len(p) > 0; p = p[min(step, len(p)):] {
				g := f
				g.Payload = p[:min(step, len(p))]
				l.frames = append(l.frames, g)
			}
		}
		var got bytes.Buffer
		must(t, Text(t.Context(), &got, l.source(), Options{}))
		if got.String() != want.String() {
			t.Errorf("cut into %d bytes:\n%s", step, got.String())
		}
	}
}

func TestPace(t *testing.T) {
	var slept []time.Duration
	opt := Options{Speed: 2, MaxPause: 100 * time.Millisecond, Sleep: func(_ context.Context, d time.Duration) error {
		slept = append(slept, d)
		return nil
	}}
	l := session(t)
	must(t, Text(t.Context(), io.Discard, l.source(), opt))
	if len(slept) != len(l.frames)-1 || slept[0] != 100*time.Millisecond {
		t.Fatal(slept)
	}
	slept, opt.MaxPause = nil, 0
	must(t, JSON(t.Context(), io.Discard, l.source(), opt))
	if slept[0] != 125*time.Millisecond {
		t.Fatal(slept)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Text(ctx, io.Discard, l.source(), Options{Speed: 0.001}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// many is a session with one result of very many rows, made as it is read.
type many struct {
	t    testing.TB
	head []record.Frame
	rows int
}

func (m *many) Next() (record.Frame, error) {
	if len(m.head) > 0 {
		f := m.head[0]
		m.head = m.head[1:]
		return f, nil
	}
	if m.rows == 0 {
		return record.Frame{}, io.EOF
	}
	var b []byte
	for range 1000 {
		b = append(b, back(m.t, &pgproto3.DataRow{Values: [][]byte{fmt.Appendf(nil, "%d", m.rows), bytes.Repeat([]byte("v"), 100)}})...)
		m.rows--
	}
	return record.Frame{Kind: record.KindResponse, Action: 1, Payload: b}, nil
}

func TestMemoryIsBounded(t *testing.T) {
	peak := func(f func(io.Writer) error) uint64 {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		var most uint64
		n := 0
		err := f(writerFunc(func(b []byte) (int, error) {
			if n++; n%200 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
			return len(b), nil
		}))
		must(t, err)
		return most - min(most, before.HeapAlloc)
	}
	source := func() Source {
		m := &many{t: t, rows: 100_000, head: session(t).frames[:2]}
		desc := back(t, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column("n", 25, 0), column("v", 25, 0)}})
		m.head = append(m.head, record.Frame{Kind: record.KindResponse, Action: 1, Payload: desc})
		return m
	}
	for name, f := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return Text(t.Context(), w, source(), Options{}) },
		"json": func(w io.Writer) error { return JSON(t.Context(), w, source(), Options{}) },
	} {
		if p := peak(f); p > 6<<20 {
			t.Errorf("%s: %d MiB for 11 MiB of rows", name, p>>20)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestMaxRows(t *testing.T) {
	var b bytes.Buffer
	must(t, Text(t.Context(), &b, session(t).source(), Options{MaxRows: 1}))
	if !strings.Contains(b.String(), "(2 rows, 1 of them not shown)") {
		t.Error(b.String())
	}
}

func FuzzPostgres(f *testing.F) {
	for _, fr := range session(f).frames {
		if fr.Kind == record.KindRequest || fr.Kind == record.KindResponse {
			f.Add(fr.Payload, 7)
		}
	}
	for _, oid := range []uint32{1700, 2950, 1114, 3802, 1007, 1186, 869, 3904, 600, 16} {
		f.Add(back(f, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column("c", oid, 1)}},
			&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23}}}), 100)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		for _, decode := range []func([]byte, func(Event) error) error{newPostgres().Request, newPostgres().Response} {
			emit := func(e Event) error {
				_, err := json.Marshal(e)
				return err
			}
			cut := min(max(cut, 0), len(b))
			if err := decode(b[:cut], emit); err != nil {
				t.Fatal(err)
			}
			if err := decode(b[cut:], emit); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		l := newList()
		l.frames = append(l.frames, session(t).frames[0])
		l.add(record.KindResponse, 1, b)
		if err := Text(t.Context(), &out, l.source(), Options{}); err != nil {
			t.Fatal(err)
		}
		if i := bytes.IndexFunc(out.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
			t.Fatalf("control character at %d: %q", i, out.String())
		}
	})
}

// TestDescribedLongAgo: a statement is described once and executed later, beside another with as
// many columns of other types, also after an error in between.
func TestDescribedLongAgo(t *testing.T) {
	var b bytes.Buffer
	must(t, Text(t.Context(), &b, longAgo(t).source(), Options{}))
	want := "    number\n    ------\n    42\n    (1 row)\n    SELECT 1\n    flag\n    ----\n    t\n    (1 row)\n    SELECT 1\n"
	if !strings.Contains(b.String(), want) || strings.Count(b.String(), "row") != 2 {
		t.Error(b.String())
	}
}

func longAgo(t *testing.T) *list {
	l := newList()
	l.frames = append(l.frames, session(t).frames[0])
	front := func(msgs ...pgproto3.FrontendMessage) {
		var b []byte
		for _, m := range msgs {
			var err error
			b, err = m.Encode(b)
			must(t, err)
		}
		l.add(record.KindRequest, 1, b)
	}
	prepare := func(name string, oid uint32) {
		front(&pgproto3.Parse{Name: name}, &pgproto3.Describe{ObjectType: 'S', Name: name}, &pgproto3.Sync{})
		l.add(record.KindResponse, 1, back(t, &pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{},
			&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column(name, oid, 0)}}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	}
	execute := func(name string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: name, ResultFormatCodes: []int16{1}}, &pgproto3.Execute{}}
	}
	prepare("number", 23)
	prepare("flag", 16)
	front(append(execute("flag"), &pgproto3.Sync{})...)
	l.add(record.KindResponse, 1, back(t, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "22000", Message: "no"}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	front(append(append(execute("number"), execute("flag")...), &pgproto3.Sync{})...)
	l.add(record.KindResponse, 1, back(t, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 42}}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
		&pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{{1}}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	return l
}

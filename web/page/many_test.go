package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/indexgen"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

const largeID = "ses_0LARGE"

// manySessions is a store with very many sessions, and one session with very many actions.
type manySessions struct {
	*backend
	index *sqlindex.Index
	file  string // the large session's sealed record
}

func (m *manySessions) List(ctx context.Context, f audit.Filter) (audit.Page, error) {
	return m.index.List(ctx, f)
}
func (m *manySessions) Get(ctx context.Context, id string) (audit.Session, error) {
	return m.index.Get(ctx, id)
}
func (m *manySessions) Actions(ctx context.Context, id string, after uint64, limit int) ([]audit.Action, error) {
	return m.index.Actions(ctx, id, after, limit)
}
func (m *manySessions) Frames(_ context.Context, _ string) (api.Frames, error) {
	return record.OpenPath(m.file)
}

// newMany fills a store; the large session is in it, too.
func newMany(t *testing.T, sessions, actions int) *manySessions {
	t.Helper()
	ctx := t.Context()
	x, err := sqlindex.OpenSQLite(ctx, filepath.Join(t.TempDir(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	g := indexgen.New(1, sessions, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	for b := g.Next(1000); !b.Empty(); b = g.Next(1000) {
		if err := x.Write(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	m := &manySessions{backend: &backend{}, index: x, file: filepath.Join(t.TempDir(), "large.drs")}
	m.large(t, actions)
	return m
}

// large makes the large session, its record and what the index has of it.
func (m *manySessions) large(t *testing.T, actions int) {
	t.Helper()
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeLarge(w, at, actions)) }()
	foot, err := record.SealFile(m.file, largeID, r)
	if err != nil {
		t.Fatal(err)
	}
	s := index.Session{ID: largeID, File: m.file, Target: "shop", Protocol: "postgres", Subject: "agent:bot", Actors: []string{"user:alice", "agent:bot"}, Groups: []string{},
		Started: at, Ended: at.Add(time.Hour), Actions: int64(actions), Allowed: int64(actions), Rows: int64(actions), Frames: foot.Frames, Stream: foot.Bytes, Sealed: true}
	b := &index.Batch{Sessions: []index.Session{s}}
	for i := 1; i <= actions; i++ {
		b.Actions = append(b.Actions, index.Change{Session: largeID, Ordinal: uint64(i), Base: &index.Action{Session: largeID, Ordinal: uint64(i), Time: at.Add(time.Duration(i) * time.Millisecond),
			Kind: action.KindSQL, Verdict: "allow", Rule: "reads", Verbs: []string{"select"}, Tables: []string{"public.orders"}, Text: statementOf(i)}, Result: &record.Result{Status: "ok", Tag: "SELECT 1", Rows: 1}})
		if len(b.Actions) == 5000 || i == actions {
			if err := m.index.Write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			b = &index.Batch{}
		}
	}
}

func statementOf(i int) string { return fmt.Sprintf("SELECT id, note FROM orders WHERE id = %d", i) }

// writeLarge writes the stream of the large session.
func writeLarge(w io.Writer, at time.Time, actions int) error {
	hash, seq := record.Root(largeID), uint64(0)
	add := func(kind record.Kind, ordinal uint64, payload []byte) error {
		f := record.Frame{Seq: seq, Time: at.Add(time.Duration(ordinal) * time.Millisecond), Kind: kind, Action: ordinal, Payload: payload}
		if kind == record.KindClose {
			f.Time = at.Add(time.Hour)
		}
		b := f.AppendChained(nil)
		hash = sha256.Sum256(slices.Concat([]byte("drgfrm1\x00"), hash[:], b))
		seq++
		_, err := w.Write(append(b, hash[:]...))
		return err
	}
	err := add(record.KindOpen, 0, payload(record.Open{Session: policy.Session{ID: largeID}, Target: policy.Target{Name: "shop", Protocol: "postgres"}}))
	for i := 1; i <= actions && err == nil; i++ {
		act := action.Action{Kind: action.KindSQL, Verbs: []string{"select"}, Reads: []action.Object{{Schema: "public", Name: "orders", Columns: []string{"id", "note"}, Resolved: true}},
			Writes: []action.Object{}, Functions: []action.Function{}, Features: map[string]any{"where": true}, Text: statementOf(i), Params: []action.Param{}}
		query, _ := (&pgproto3.Query{String: statementOf(i)}).Encode(nil)
		for _, f := range []struct {
			kind record.Kind
			b    []byte
		}{{record.KindAction, payload(record.ActionPayload{Action: act, Decision: policy.Decision{Verdict: policy.Allow, Rule: "reads"}})}, {record.KindRequest, query},
			{record.KindResponse, wire(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("id"), DataTypeOID: 23}, {Name: []byte("note"), DataTypeOID: 25}}},
				&pgproto3.DataRow{Values: [][]byte{[]byte(strconv.Itoa(i)), []byte("a note")}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})},
			{record.KindResult, payload(record.Result{Status: "ok", Tag: "SELECT 1", Rows: 1})}} {
			if err == nil {
				err = add(f.kind, uint64(i), f.b)
			}
		}
	}
	if err == nil {
		err = add(record.KindClose, 0, []byte(`{"reason":"client"}`))
	}
	return err
}

// asked is one kind of request of the page.
type asked struct {
	name  string
	path  func() string
	wants string
}

func (m *manySessions) questions(sessions, actions int) []asked {
	g := indexgen.New(2, sessions, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	find := func(name string, of func() string) func() string {
		return func() string { return "/sessions?" + url.Values{name: {of()}}.Encode() }
	}
	fixed := func(p string) func() string { return func() string { return p } }
	large := "/sessions/" + largeID
	return []asked{
		{"the list", fixed("/sessions"), "table"}, {"filter: identity", find("identity", g.Human), ""}, {"filter: target", find("target", g.Target), "table"},
		{"filter: verdict", find("verdict", func() string { return "block" }), "table"}, {"filter: table", find("table", g.Table), ""}, {"search: a word", find("text", g.Word), ""},
		{"search: two words", find("text", func() string { return g.Word() + " update" }), ""}, {"a session's page", fixed(large), `id="a1"`},
		{"its next 100 actions, in the middle", func() string { return fmt.Sprintf("%s/actions?after=%d", large, actions/2) }, fmt.Sprintf(`id="a%d"`, actions/2+1)},
		{"its first action", fixed(large + "/actions/1"), "a note"}, {"its last action", fixed(fmt.Sprintf("%s/actions/%d", large, actions)), "a note"},
	}
}

// TestManySessions: the list, filters, searches and a session's parts are quick with very many sessions, and one that has very many actions.
// DRAGOMAN_PAGE_SESSIONS is how many there are of both, DRAGOMAN_PAGE_DOC where the figures are written (make bench-page).
func TestManySessions(t *testing.T) {
	n, rounds := 2000, 2
	if s := os.Getenv("DRAGOMAN_PAGE_SESSIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		rounds = 40
	}
	m := newMany(t, n, n)
	r := newRigWith(t, m)
	c := r.signedIn(api.Auditor)
	ctx := chromium(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(r.url+"/login"), chromedp.SendKeys(chromedp.CSS("#token"), "admin-token-of-the-tests"), chromedp.Submit(chromedp.CSS("#token")), chromedp.WaitVisible(chromedp.CSS("nav"))); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d sessions in SQLite, and one session of %d actions (%d frames); %d requests of each kind, on %d cores; p50 / p95 in milliseconds.\n\n| page | server | Chromium, to its load event |\n| --- | ---: | ---: |\n", n, n, 4*n+2, rounds, runtime.NumCPU())
	for _, q := range m.questions(n, n) {
		var served, loaded []float64
		for range rounds {
			p := q.path()
			began := time.Now()
			res, body := r.get(c, p)
			served = append(served, time.Since(began).Seconds()*1000)
			if res.StatusCode != http.StatusOK || !strings.Contains(body, q.wants) {
				t.Fatalf("%s: %s %s has no %q", q.name, p, res.Status, q.wants)
			}
		}
		for range max(1, rounds/4) {
			if err := chromedp.Do(ctx, chromedp.Navigate(r.url+q.path())); err != nil {
				t.Fatal(err)
			}
			ms, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`performance.getEntriesByType("navigation")[0].loadEventEnd`))
			if err != nil {
				t.Fatal(err)
			}
			loaded = append(loaded, ms)
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", q.name, spread(served), spread(loaded))
	}
	t.Log("\n" + out.String())
	if doc := os.Getenv("DRAGOMAN_PAGE_DOC"); doc != "" {
		writeDoc(t, doc, out.String())
	}
}

// spread is p50 and p95.
func spread(all []float64) string {
	slices.Sort(all)
	at := func(q float64) float64 { return all[max(0, int(math.Ceil(q*float64(len(all))))-1)] }
	return fmt.Sprintf("%.1f / %.1f", at(0.5), at(0.95))
}

func writeDoc(t *testing.T, path, text string) {
	t.Helper()
	const begin, end = "<!-- bench:page:begin -->", "<!-- bench:page:end -->"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no markers", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+"\n"+text+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

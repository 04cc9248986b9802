package notify

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/identity"
)

// receiver is a webhook's other side: it checks signatures as docs/telemetry.md tells to.
type receiver struct {
	t      *testing.T
	secret string
	mu     sync.Mutex
	ids    []string
	status func(n int, ids []string) int // of the n-th request
	n      int
	srv    *httptest.Server
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, secret: "a-secret-of-the-tests-x"}
	r.srv = httptest.NewServer(r)
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, _ := io.ReadAll(req.Body)
	if req.Header.Get(SignatureHeader) != Sign(r.secret, req.Header.Get(TimestampHeader), b) || Sign("other", req.Header.Get(TimestampHeader), b) == req.Header.Get(SignatureHeader) {
		r.t.Error("the signature does not hold")
	}
	var body struct{ Events []export.Event }
	if err := json.Unmarshal(b, &body); err != nil {
		r.t.Error(err)
	}
	var ids []string
	for _, e := range body.Events {
		ids = append(ids, e.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if r.status != nil {
		if s := r.status(r.n, ids); s != 200 {
			w.WriteHeader(s)
			return
		}
	}
	r.ids = append(r.ids, ids...)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

func (r *receiver) sink(name string) Sink {
	c, err := NewHTTPClient(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &Webhook{Label: name, URL: r.srv.URL, Secret: func(context.Context) (string, error) { return r.secret, nil }, HTTP: c, Now: time.Now}
}

// rig is a real store whose sessions are those of the access log, with an outbox.
type rig struct {
	t      *testing.T
	dir    string
	sinks  []Sink
	kind   kind
	outbox Outbox
	store  *audit.Store
	log    *access.Log
	stop   func()
	done   chan struct{}
}

func (r *rig) start() {
	r.t.Helper()
	var names []string
	for _, s := range r.sinks {
		names = append(names, s.Name())
	}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	d := &Delivery{Sinks: r.sinks, Log: quiet, Backoff: 5 * time.Millisecond}
	r.outbox = r.kind.open(r.t, names, 0, d.Wake)
	d.Outbox = r.outbox
	if r.store, err = audit.Open(filepath.Join(r.dir, "audit"), audit.Options{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Feed: NewFeed(r.outbox, d.Wake)}); err != nil {
		r.t.Fatal(err)
	}
	if r.log, err = access.Open(access.Options{Dir: filepath.Join(r.dir, "spool"), Ingest: r.store, Node: "c", Log: quiet, Now: time.Now}); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.done = make(chan struct{})
	go func() { d.Run(ctx); close(r.done) }()
	r.stop = cancel
}

// end stops all; what is not delivered stays.
func (r *rig) end() {
	r.t.Helper()
	for _, err := range []error{r.log.Close(), r.store.Close()} {
		if err != nil {
			r.t.Error(err)
		}
	}
	r.stop()
	<-r.done
	if err := r.outbox.Close(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) act(who string, n int) {
	r.t.Helper()
	for i := range n {
		id := identity.New(who)
		id.Method = identity.MethodToken
		if err := r.log.Record(access.Read{By: id, Via: "api", Way: access.Show, Sessions: []string{fmt.Sprintf("ses_%d", i)}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// TestAtLeastOnce: every event comes, in order, although the receiver fails, and over restarts of both.
func TestAtLeastOnce(t *testing.T) { atLeastOnce(t, newFile(t)) }

func atLeastOnce(t *testing.T, k kind) {
	hook := newReceiver(t)
	hook.status = func(n int, _ []string) int { return []int{200, 500, 429, 200, 302, 503}[n%6] }
	r := &rig{t: t, kind: k, dir: t.TempDir()}
	r.sinks = []Sink{hook.sink("a")}
	for range 3 {
		r.start()
		r.act("user:a", 20)
		r.act("user:b", 5)
		r.end() // with what is not delivered yet
	}
	r.start()
	// Each session: opened, its actions, closed; three of each of the two.
	want := 3 * (20 + 5 + 2*2)
	unique := func() map[string]bool {
		m := map[string]bool{}
		for _, id := range hook.got() {
			m[id] = true
		}
		return m
	}
	eventually(t, "all events", func() bool { return len(unique()) >= want })
	r.end()
	if n := len(unique()); n != want {
		t.Errorf("%d different events, want %d", n, want)
	}
	if n := len(hook.got()); n != want {
		t.Logf("%d events came, %d of them again", n, n-want) // an attempt was cut off by the end
	}
	last, seen := map[string]int{}, map[string]bool{}
	for _, id := range hook.got() {
		session, seq, _ := strings.Cut(id, "/")
		var n int
		fmt.Sscan(seq, &n)
		if n < last[session] && !seen[id] {
			t.Errorf("%s after frame %d", id, last[session])
		}
		last[session], seen[id] = max(n, last[session]), true
	}
	b := k.open(t, []string{"webhook:a"}, 0, func() {})
	defer b.Close()
	if n := k.used(t, b); n != 0 {
		t.Error("delivered events stay", n)
	}
}

// TestTwoSinks: one that is away holds up no other, and gets all when it is back.
func TestTwoSinks(t *testing.T) { twoSinks(t, newFile(t)) }

func twoSinks(t *testing.T, k kind) {
	good, bad := newReceiver(t), newReceiver(t)
	var mu sync.Mutex
	away := true
	bad.status = func(int, []string) int {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return 503
		}
		return 200
	}
	r := &rig{t: t, kind: k, dir: t.TempDir(), sinks: []Sink{good.sink("good"), bad.sink("bad")}}
	r.start()
	r.act("user:a", 30)
	eventually(t, "the good one", func() bool { return len(good.got()) == 31 })
	list, err := r.outbox.Backlogs(t.Context())
	if err != nil || len(list) != 2 || list[0].Sink != "webhook:bad" || list[0].Waiting != 31 {
		t.Error(list, err)
	}
	mu.Lock()
	away = false
	mu.Unlock()
	eventually(t, "the bad one", func() bool { return len(bad.got()) == 31 })
	r.end()
}

// TestPoison: an event that is never taken is left out and counted, its neighbours come.
func TestPoison(t *testing.T) { poison(t, newFile(t)) }

func poison(t *testing.T, k kind) {
	hook := newReceiver(t)
	hook.status = func(_ int, ids []string) int {
		if slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(id, "/4") }) {
			return 422
		}
		return 200
	}
	r := &rig{t: t, kind: k, dir: t.TempDir(), sinks: []Sink{hook.sink("a")}}
	r.start()
	r.act("user:a", 20)
	eventually(t, "the others", func() bool { return len(hook.got()) == 20 })
	eventually(t, "one is counted", func() bool {
		list, err := r.outbox.Backlogs(t.Context())
		return err == nil && list[0].Dropped == 1 && list[0].Sent == 20 && list[0].Waiting == 0
	})
	r.end()
}

// TestBounded: a sink that is away for long costs the oldest events, not the disk.
func TestBounded(t *testing.T) { bounded(t, newFile(t)) }

func bounded(t *testing.T, k kind) {
	o := k.open(t, []string{"s"}, 60_000, func() {})
	for i := range 1000 {
		if err := o.Add(t.Context(), []export.Event{{ID: fmt.Sprint(i), Session: "ses", Seq: uint64(i)}}); err != nil {
			t.Fatal(err)
		}
		if n := k.used(t, o); n > 60_000 {
			t.Fatal(n)
		}
	}
	list, err := o.Backlogs(t.Context())
	if err != nil || list[0].Dropped == 0 || list[0].Dropped+list[0].Waiting != 1000 {
		t.Error(list, err)
	}
	if items, err := o.Next(t.Context(), "s", 1, 1<<20); err != nil || items[0].Event.ID != fmt.Sprint(list[0].Dropped) {
		t.Error(items, err)
	}
	// A sink that is added begins with what comes next.
	must(t, o.Close())
	o = k.open(t, []string{"s", "new"}, 60_000, func() {})
	defer o.Close()
	if items, err := o.Next(t.Context(), "new", 10, 1<<20); err != nil || len(items) != 0 {
		t.Error(items, err)
	}
}

// TestRefusedBatch: when the outbox cannot be written, nothing is acknowledged, and afterwards all comes.
func TestRefusedBatch(t *testing.T) { refusedBatch(t, newFile(t)) }

func refusedBatch(t *testing.T, k kind) {
	hook := newReceiver(t)
	r := &rig{t: t, kind: k, dir: t.TempDir(), sinks: []Sink{hook.sink("a")}}
	r.start()
	r.act("user:a", 3)
	eventually(t, "the first", func() bool { return len(hook.got()) == 4 })
	k.fault(t, r.outbox, true)
	r.act("user:a", 3)
	if err := r.log.Settle(t.Context()); err == nil {
		t.Error("acknowledged without the outbox")
	}
	k.fault(t, r.outbox, false)
	if err := r.log.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "the rest", func() bool { return len(hook.got()) == 7 })
	r.end()
}

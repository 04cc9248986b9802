package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// memory is an Ingest that keeps streams in memory and verifies them.
type memory struct {
	mu       sync.Mutex
	streams  map[string]*record.Stream
	bytes    map[string][]byte
	frames   map[string]int
	ended    map[string]bool
	first    map[string]time.Time
	doubles  int
	failRate float64
	rnd      *rand.Rand
}

func newMemory() *memory {
	return &memory{streams: map[string]*record.Stream{}, bytes: map[string][]byte{}, frames: map[string]int{},
		ended: map[string]bool{}, first: map[string]time.Time{}, rnd: rand.New(rand.NewPCG(3, 4))}
}

func (m *memory) Append(_ context.Context, _ string, chunks []Chunk) ([]Ack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rnd.Float64() < m.failRate {
		return nil, errors.New("store is away")
	}
	acks := map[string]Ack{}
	for _, c := range chunks {
		st := m.streams[c.Session]
		if st == nil {
			st = record.NewStream(c.Session)
			m.streams[c.Session] = st
			m.first[c.Session] = time.Now()
		}
		have := st.Offset()
		if c.Offset > have {
			acks[c.Session] = Ack{Session: c.Session, Offset: have, Retry: true}
			continue
		}
		if skip := have - c.Offset; skip > 0 && len(c.Data) > 0 {
			m.doubles++
			c.Data = c.Data[min(skip, uint64(len(c.Data))):]
		}
		if err := st.Write(c.Data, func(record.Frame) error { m.frames[c.Session]++; return nil }); err != nil {
			return nil, err
		}
		m.bytes[c.Session] = append(m.bytes[c.Session], c.Data...)
		m.ended[c.Session] = m.ended[c.Session] || c.Ended
		acks[c.Session] = Ack{Session: c.Session, Offset: st.Offset()}
	}
	var out []Ack
	for _, a := range acks {
		out = append(out, a)
	}
	return out, nil
}

func open(id string) record.Open {
	return record.Open{Session: policy.Session{ID: id, Started: time.Now()}, Identity: identity.New("agent:a")}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// control is a control plane that can be stopped and started at one address.
type control struct {
	addr string
	opt  ServerOptions
	grpc *grpc.Server
	*Server
}

func (c *control) start(t testing.TB) {
	t.Helper()
	l, err := net.Listen("unix", c.addr)
	must(t, err)
	c.grpc = grpc.NewServer()
	c.Server = NewServer(c.opt)
	c.Register(c.grpc)
	go c.grpc.Serve(l)
}

func newControl(t testing.TB, opt ServerOptions) *control {
	c := &control{addr: filepath.Join(t.TempDir(), "c.sock"), opt: opt}
	c.start(t)
	t.Cleanup(func() { c.grpc.Stop() })
	return c
}

func (c *control) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+c.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func spool(t testing.TB, dir string) *record.Spool {
	t.Helper()
	s, err := record.OpenSpool(dir, record.Options{SegmentSize: 64 << 10})
	must(t, err)
	return s
}

func run(t testing.TB, opt Options) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		NewShipper(opt).Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("never: ", what)
}

// TestManySessionsOverRestarts: 64 sessions at once, a control plane that restarts and a store
// that fails: no frame is lost, none is there twice, and the spool is empty at the end.
func TestManySessionsOverRestarts(t *testing.T) {
	m := newMemory()
	m.failRate = 0.05
	c := newControl(t, ServerOptions{Ingest: m})
	sp := spool(t, t.TempDir())
	defer sp.Close()
	stop := run(t, Options{Spool: sp, Conn: c.dial(t), Node: "n1", Poll: 5 * time.Millisecond})
	defer stop()

	const sessions, actions = 64, 120
	want := make([]uint64, sessions)
	var wg sync.WaitGroup
	for g := range sessions {
		wg.Go(func() {
			mode := record.Mode(g % 2)
			w, err := sp.Begin(mode, open(fmt.Sprintf("ses_%02d", g)))
			if err != nil {
				t.Error(err)
				return
			}
			for i := range actions {
				err := w.Append(record.KindResponse, uint64(i), bytes.Repeat([]byte{byte(g)}, 10*i))
				done := make(chan error, 1)
				w.Commit(func(err error) { done <- err })
				if err := errors.Join(err, <-done); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
			if err := w.Close(record.Close{Reason: "client"}); err != nil {
				t.Error(err)
			}
			want[g] = w.Frames()
		})
	}
	restarts := make(chan struct{})
	go func() {
		defer close(restarts)
		for range 5 {
			time.Sleep(60 * time.Millisecond)
			c.grpc.Stop()
			time.Sleep(20 * time.Millisecond)
			c.start(t)
		}
	}()
	wg.Wait()
	<-restarts
	eventually(t, "spool empty", func() bool { return sp.Used() == 0 && len(sp.Backlogs(nil)) == 0 })
	m.mu.Lock()
	defer m.mu.Unlock()
	for g := range sessions {
		id := fmt.Sprintf("ses_%02d", g)
		if m.frames[id] != int(want[g]) || !m.streams[id].Ended() || !m.ended[id] {
			t.Errorf("%s: %d of %d frames, ended %v %v", id, m.frames[id], want[g], m.streams[id].Ended(), m.ended[id])
		}
	}
	t.Logf("%d pieces came twice and were kept once", m.doubles)
}

func TestShipsWhatADeadProcessLeft(t *testing.T) {
	dir := t.TempDir()
	old := spool(t, dir)
	w, err := old.Begin(record.ModeWrite, open("ses_dead"))
	must(t, err)
	must(t, w.Flush())
	w.Abandon()
	old.Close()
	m := newMemory()
	c := newControl(t, ServerOptions{Ingest: m})
	sp := spool(t, dir)
	defer sp.Close()
	run(t, Options{Spool: sp, Conn: c.dial(t), Node: "n1"})
	eventually(t, "shipped", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.streams["ses_dead"] != nil && m.streams["ses_dead"].Ended() && sp.Used() == 0
	})
}

func TestControlAndLatency(t *testing.T) {
	m := newMemory()
	got := make(chan Control, 10)
	c := newControl(t, ServerOptions{Ingest: m, Initial: func(string) []Control { return []Control{{Token: "old", Reason: "revoked"}} }})
	sp := spool(t, t.TempDir())
	defer sp.Close()
	run(t, Options{Spool: sp, Conn: c.dial(t), Node: "n1", OnControl: func(c Control) { got <- c }})
	if c := <-got; c.Token != "old" {
		t.Fatal(c)
	}
	w, err := sp.Begin(record.ModeWrite, open("ses_a"))
	must(t, err)
	began := time.Now()
	must(t, w.Flush())
	eventually(t, "session is seen", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.frames["ses_a"] == 1
	})
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("session seen after %v", d)
	}
	if !c.EndSession(t.Context(), "ses_a", "policy") || c.EndSession(t.Context(), "ses_none", "policy") {
		t.Error("EndSession")
	}
	if c := <-got; c.Session != "ses_a" || c.Reason != "policy" {
		t.Error(c)
	}
	if n := c.EndByToken(t.Context(), "jti", "revoked"); n != 1 {
		t.Error(n)
	}
	if c := <-got; c.Token != "jti" {
		t.Error(c)
	}
	must(t, w.Close(record.Close{Reason: "policy"}))
	eventually(t, "hub forgets", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.sessions) == 0
	})
	if !slices.Equal(c.Nodes(), []string{"n1"}) {
		t.Error(c.Nodes())
	}
}

// slow is an Ingest that keeps nothing until it may.
type slow struct{ may chan struct{} }

func (s slow) Append(ctx context.Context, _ string, _ []Chunk) ([]Ack, error) {
	select {
	case <-s.may:
	case <-ctx.Done():
	}
	return nil, errors.New("away")
}

// TestControlWhileIngestIsSlow: a session that has just begun can be ended, and is at once, while its records wait.
func TestControlWhileIngestIsSlow(t *testing.T) {
	in := slow{make(chan struct{})}
	c := newControl(t, ServerOptions{Ingest: in})
	sp := spool(t, t.TempDir())
	got := make(chan Control, 1)
	defer run(t, Options{Spool: sp, Conn: c.dial(t), Node: "n1", OnControl: func(c Control) { got <- c }})()
	defer close(in.may)
	w, err := sp.Begin(record.ModeWrite, open("ses_a"))
	must(t, err)
	must(t, w.Flush())
	eventually(t, "the session is known", func() bool { return c.EndSession(t.Context(), "ses_a", "revoked") })
	select {
	case c := <-got:
		if c.Session != "ses_a" {
			t.Error(c)
		}
	case <-time.After(60 * time.Second):
		t.Error("the node is not told while its records wait")
	}
}

// TestAnothersSession: who ships of another node's session is not the one that is told to end it.
func TestAnothersSession(t *testing.T) {
	s := NewServer(ServerOptions{Ingest: newMemory(), Owns: func(node, session string) bool { return node == "n1" }})
	own, other := &peer{node: "n1", control: make(chan Control, 1)}, &peer{node: "n2", control: make(chan Control, 1)}
	s.join(own)
	s.join(other)
	s.note(own, Chunk{Session: "ses_a"})
	s.note(other, Chunk{Session: "ses_a"})
	s.note(other, Chunk{Session: "ses_a", Ended: true})
	if !s.EndSession(t.Context(), "ses_a", "revoked") || len(own.control) != 1 || len(other.control) != 0 {
		t.Fatalf("%d are told to the session's node, %d to another", len(own.control), len(other.control))
	}
}

func TestNodeIsAuthenticated(t *testing.T) {
	m := newMemory()
	c := newControl(t, ServerOptions{Ingest: m, Authenticate: func(_ context.Context, claimed string) (string, error) {
		return "", fmt.Errorf("%s is not known", claimed)
	}})
	sp := spool(t, t.TempDir())
	defer sp.Close()
	w, err := sp.Begin(record.ModeWrite, open("ses_a"))
	must(t, err)
	must(t, w.Close(record.Close{}))
	s := NewShipper(Options{Spool: sp, Conn: c.dial(t), Node: "evil"})
	if welcomed, err := s.once(t.Context()); welcomed || err == nil {
		t.Fatal(welcomed, err)
	}
	if len(m.streams) != 0 || sp.Used() == 0 {
		t.Fatal("shipped")
	}
}

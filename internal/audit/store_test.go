package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	xunix "golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

func testKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("a key for tests"))
	return ed25519.NewKeyFromSeed(seed[:])
}

func testPub() ed25519.PublicKey { return testKey().Public().(ed25519.PublicKey) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Key: testKey()})
	must(t, err)
	return s
}

func openFrame(id string, chain ...string) record.Open {
	who := identity.New(chain...)
	who.Groups = []string{"analysts"}
	return record.Open{Session: policy.Session{ID: id, Started: time.Now(), Client: "127.0.0.1:5"},
		Target: policy.Target{Name: "shop", Protocol: "postgres"}, Identity: who, Node: "n1"}
}

// writeSession writes n actions (every third blocked, the last held and approved).
func writeSession(t testing.TB, w *record.Writer, n int, text string) {
	for i := 1; i <= n; i++ {
		p := record.ActionPayload{
			Action:   action.Action{Kind: action.KindSQL, Verbs: []string{"select"}, Text: fmt.Sprint(text, " -- ", i), Reads: []action.Object{{Schema: "public", Name: "customers"}}},
			Decision: policy.Decision{Verdict: policy.Allow, Rule: "read"},
		}
		res := record.Result{Status: "ok", Rows: 2, Bytes: 10, Masked: 1}
		if i%3 == 0 {
			p.Decision.Verdict, res = policy.Block, record.Result{Status: "blocked", Code: "42501"}
		}
		if i == n {
			p.Decision.Verdict = policy.Hold
		}
		err := w.AppendJSON(record.KindAction, uint64(i), p)
		if i == n {
			h := hold.Hold{ID: "hld_1", State: hold.Used, Decisions: []hold.Decision{{By: identity.New("user:dana@example.com"), Approve: true}}}
			err = errors.Join(err, w.AppendJSON(record.KindHold, uint64(i), h))
		}
		err = errors.Join(err, w.Append(record.KindResponse, uint64(i), make([]byte, 50)), w.AppendJSON(record.KindResult, uint64(i), res), w.Flush())
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// node is a spool with a shipper to a server with the store.
func newSpool(t testing.TB) *record.Spool {
	t.Helper()
	sp, err := record.OpenSpool(t.TempDir(), record.Options{SegmentSize: 32 << 10})
	must(t, err)
	t.Cleanup(sp.Close)
	return sp
}

func serve(ctx context.Context, addr string, s *Store) error {
	l, err := net.Listen("unix", addr)
	if err != nil {
		return err
	}
	g := grpc.NewServer()
	ship.NewServer(ship.ServerOptions{Ingest: s}).Register(g)
	context.AfterFunc(ctx, g.Stop)
	return g.Serve(l)
}

func shipTo(t testing.TB, sp *record.Spool, addr string) {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ship.NewShipper(ship.Options{Spool: sp, Conn: conn, Node: "n1", Poll: 10 * time.Millisecond}).Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done; conn.Close() })
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("never: ", what)
}

func sealedCount(t testing.TB, s *Store) int {
	p, err := s.List(t.Context(), Filter{Limit: 1000})
	must(t, err)
	n := 0
	for _, r := range p.Sessions {
		if r.Sealed {
			n++
		}
	}
	return n
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	sp := newSpool(t)
	addr := filepath.Join(t.TempDir(), "s.sock")
	go serve(t.Context(), addr, s)
	shipTo(t, sp, addr)

	const sessions, actions = 20, 12
	var wg sync.WaitGroup
	for g := range sessions {
		wg.Go(func() {
			w, err := sp.Begin(record.Mode(g%2), openFrame(fmt.Sprintf("ses_%02d", g), fmt.Sprintf("user:u%d@example.com", g%2), "agent:ci-bot"))
			if err != nil {
				t.Error(err)
				return
			}
			writeSession(t, w, actions, "select name from customers")
			if g > 0 {
				if err := w.Close(record.Close{Reason: "client"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all sealed", func() bool { return sealedCount(t, s) == sessions-1 })
	checkQueries(t, s, sessions, actions)

	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub()}, func(r Result) {
		if !r.OK() {
			t.Errorf("%+v", r)
		}
	})
	if err != nil || !sum.OK() || sum.Records != sessions || sum.Live != 1 || sum.Size < sessions-1 {
		t.Fatalf("%+v %v", sum, err)
	}

	before, err := s.List(t.Context(), Filter{Limit: 100})
	must(t, err)
	must(t, s.Reindex(t.Context()))
	after, err := s.List(t.Context(), Filter{Limit: 100})
	must(t, err)
	for i := range before.Sessions {
		if a, b := fmt.Sprintf("%+v", before.Sessions[i]), fmt.Sprintf("%+v", after.Sessions[i]); a != b {
			t.Errorf("reindex differs:\n%s\n%s", a, b)
		}
	}
	checkQueries(t, s, sessions, actions)
	must(t, s.Close())
	checkTampering(t, dir)
}

func checkQueries(t *testing.T, s *Store, sessions, actions int) {
	t.Helper()
	yes := true
	for name, c := range map[string]struct {
		f    Filter
		want int
	}{
		"all": {Filter{}, sessions}, "human": {Filter{Identity: "user:u1@example.com"}, sessions / 2}, "agent": {Filter{Identity: "agent:ci-bot"}, sessions},
		"nobody": {Filter{Identity: "x"}, 0}, "target": {Filter{Target: "shop"}, sessions}, "since": {Filter{Since: time.Now().Add(time.Hour)}, 0},
		"until": {Filter{Until: time.Now().Add(time.Hour)}, sessions}, "blocked": {Filter{Verdict: "block"}, sessions},
		"table": {Filter{Table: "public.customers"}, sessions}, "bare": {Filter{Table: "customers", Verb: "select"}, sessions},
		"other": {Filter{Table: "orders"}, 0}, "live": {Filter{Live: &yes}, 1},
	} {
		p, err := s.List(t.Context(), c.f)
		if err != nil || len(p.Sessions) != c.want {
			t.Errorf("%s: %d sessions, want %d: %v", name, len(p.Sessions), c.want, err)
		}
	}
	if _, err := s.List(t.Context(), Filter{Verdict: "maybe"}); err == nil {
		t.Error("bad verdict")
	}
	var ids []string
	for f := (Filter{Limit: 7}); ; {
		p, err := s.List(t.Context(), f)
		must(t, err)
		for _, r := range p.Sessions {
			ids = append(ids, r.ID)
		}
		if f.Cursor = p.Next; f.Cursor == "" {
			break
		}
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != sessions {
		t.Errorf("paging gives %d sessions", len(ids))
	}
	r, err := s.Get(t.Context(), "ses_03")
	must(t, err)
	if r.Actions != int64(actions) || r.Held != 1 || r.Blocked != 3 || r.Subject != "agent:ci-bot" || r.Reason != "client" || r.Masked != int64(actions-4) {
		t.Errorf("%+v", r)
	}
	as, err := s.Actions(t.Context(), "ses_03", 0, 0)
	must(t, err)
	last := as[len(as)-1]
	if len(as) != actions || as[2].Status != "blocked" || last.Hold != "hld_1" || !slices.Equal(last.DecidedBy, []string{"user:dana@example.com"}) {
		t.Errorf("%d actions, last %+v", len(as), last)
	}
	if _, err := s.Get(t.Context(), "ses_none"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	rd, err := s.Frames(t.Context(), "ses_03")
	must(t, err)
	defer rd.Close()
	n := uint64(0)
	for ; ; n++ {
		if _, err = rd.Next(); err != nil {
			break
		}
	}
	if err != io.EOF || n != r.Frames {
		t.Error(n, r.Frames, err)
	}
}

// checkTampering: what somebody with the files, but without the key, can do is found.
func checkTampering(t *testing.T, dir string) {
	var drs []string
	must(t, files(dir, func(path, _, ext string) error {
		if ext == record.SealedExt {
			drs = append(drs, path)
		}
		return nil
	}))
	checkpoint := filepath.Join(dir, logDir, "checkpoint")
	for name, tamper := range map[string]func() error{
		"removed": func() error { return os.Remove(drs[0]) },
		"rewritten": func() error { // a whole, valid file with another content
			id := strings.TrimSuffix(filepath.Base(drs[1]), record.SealedExt)
			sp, err := record.OpenSpool(filepath.Join(t.TempDir(), "sp"), record.Options{})
			if err != nil {
				return err
			}
			defer sp.Close()
			w, err := sp.Begin(record.ModeWrite, openFrame(id, "agent:innocent"))
			if err == nil {
				err = w.Close(record.Close{Reason: "client"})
			}
			buf := make([]byte, 1<<16)
			n, rerr := sp.ReadAt(id, buf, 0)
			_, serr := record.SealFile(drs[1], id, strings.NewReader(string(buf[:n])))
			return errors.Join(err, rerr, serr)
		},
		"flipped":    func() error { return flip(drs[2], 300) },
		"swapped":    func() error { return os.Rename(drs[3], drs[4]) },
		"checkpoint": func() error { return flip(checkpoint, 30) },
	} {
		t.Run(name, func(t *testing.T) {
			saved := map[string][]byte{}
			for _, p := range append(slices.Clone(drs), checkpoint) {
				b, err := os.ReadFile(p)
				must(t, err)
				saved[p] = b
			}
			must(t, tamper())
			bad := 0
			sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub()}, func(r Result) {
				if !r.OK() {
					bad++
				}
			})
			if err != nil || sum.OK() || (bad == 0 && len(sum.Log) == 0) {
				t.Errorf("not found: %+v %v", sum, err)
			}
			for p, b := range saved {
				must(t, os.WriteFile(p, b, 0o600))
			}
			if sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub()}, func(Result) {}); err != nil || !sum.OK() {
				t.Fatalf("%+v %v", sum, err)
			}
		})
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	if sum, err := Verify(t.Context(), dir, VerifyOptions{Key: other}, func(Result) {}); err != nil || sum.OK() {
		t.Errorf("another key verifies: %+v %v", sum, err)
	}
}

func flip(path string, at int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[at] ^= 4
	return os.WriteFile(path, b, 0o600)
}

func TestTail(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	sp := newSpool(t)
	addr := filepath.Join(t.TempDir(), "s.sock")
	go serve(t.Context(), addr, s)
	shipTo(t, sp, addr)
	w, err := sp.Begin(record.ModeWrite, openFrame("ses_t", "agent:a"))
	must(t, err)
	must(t, w.Flush())
	eventually(t, "session is there", func() bool { _, err := s.Get(t.Context(), "ses_t"); return err == nil })
	all, err := s.Tail(t.Context(), "ses_t", true)
	must(t, err)
	defer all.Close()
	f, err := all.Next()
	if err != nil || f.Kind != record.KindOpen {
		t.Fatal(f.Kind, err)
	}
	fresh, err := s.Tail(t.Context(), "ses_t", false)
	must(t, err)
	defer fresh.Close()
	began := time.Now()
	must(t, w.Append(record.KindNote, 0, []byte(`{"what":"hello"}`)))
	must(t, w.Flush())
	for _, tail := range []*Tail{all, fresh} {
		if f, err := tail.Next(); err != nil || f.Kind != record.KindNote {
			t.Fatal(f.Kind, err)
		}
	}
	t.Logf("a frame is at the tail after %v", time.Since(began))
	must(t, w.Close(record.Close{Reason: "client"}))
	for _, tail := range []*Tail{all, fresh} {
		if f, err := tail.Next(); err != nil || f.Kind != record.KindClose {
			t.Fatal(f.Kind, err)
		}
		if _, err := tail.Next(); err != io.EOF {
			t.Fatal(err)
		}
	}
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	late, err := s.Tail(t.Context(), "ses_t", true)
	must(t, err)
	defer late.Close()
	if f, err := late.Next(); err != nil || f.Kind != record.KindOpen {
		t.Fatal(f.Kind, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w2, err := sp.Begin(record.ModeWrite, openFrame("ses_u", "agent:a"))
	must(t, err)
	must(t, w2.Flush())
	eventually(t, "session is there", func() bool { return s.liveSession("ses_u") != nil })
	tail, err := s.Tail(ctx, "ses_u", false)
	must(t, err)
	defer tail.Close()
	cancel()
	if _, err := tail.Next(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// stream makes a session's bytes.
func stream(t testing.TB, id string, actions int, end bool) []byte {
	t.Helper()
	sp := newSpool(t)
	w, err := sp.Begin(record.ModeWrite, openFrame(id, "agent:a"))
	must(t, err)
	writeSession(t, w, actions, "select 1")
	if end {
		must(t, w.Close(record.Close{Reason: "client"}))
	}
	var all []byte
	buf := make([]byte, 1<<20)
	for {
		n, err := sp.ReadAt(id, buf, uint64(len(all)))
		must(t, err)
		if n == 0 {
			return all
		}
		all = append(all, buf[:n]...)
	}
}

func TestAppendDuplicatesGapsAndForeigners(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	all := stream(t, "ses_a", 10, true)
	put := func(node string, off, end int) ship.Ack {
		t.Helper()
		acks, err := s.Append(t.Context(), node, []ship.Chunk{{Session: "ses_a", Offset: uint64(off), Data: all[off:end]}})
		must(t, err)
		return acks[0]
	}
	if a := put("n1", 0, 0); a.Offset != 0 || a.Retry || a.Diverged {
		t.Fatal(a)
	}
	if a := put("n1", 0, 1000); a.Offset != 1000 {
		t.Fatal(a)
	}
	if a := put("n1", 500, 1500); a.Offset != 1500 {
		t.Fatal(a)
	}
	if a := put("n1", 2000, 2100); !a.Retry || a.Offset != 1500 {
		t.Fatal(a)
	}
	if a := put("evil", 1500, 1600); !a.Diverged {
		t.Fatal(a)
	}
	if a := put("n1", 0, len(all)); a.Offset != uint64(len(all)) {
		t.Fatal(a)
	}
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	if a := put("n1", 0, len(all)); a.Offset != uint64(len(all)) || a.Diverged {
		t.Fatal(a)
	}
	acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Offset: uint64(len(all)), Data: []byte("more")}})
	if err != nil || !acks[0].Diverged {
		t.Fatal(acks, err)
	}
}

// TestNodeLostItsTail: after a power cut the node has less than was acknowledged, or other bytes.
func TestNodeLostItsTail(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	all := stream(t, "ses_a", 10, false)
	acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Data: all[:len(all)-10]}, {Session: "ses_a", Offset: 700, Ended: true}})
	if err != nil || acks[0].Diverged || acks[0].Retry {
		t.Fatal(acks, err)
	}
	other := stream(t, "ses_b", 10, false)
	_, err = s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_b", Data: other[:2000]}})
	must(t, err)
	garbage := append([]byte{}, other[2000:]...)
	garbage[100] ^= 1
	acks, err = s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_b", Offset: 2000, Data: garbage}})
	if err != nil || !acks[0].Diverged {
		t.Fatal(acks, err)
	}
	eventually(t, "both sealed", func() bool { return sealedCount(t, s) == 2 })
	for _, id := range []string{"ses_a", "ses_b"} {
		r, err := s.Get(t.Context(), id)
		if err != nil || !r.Lost || r.Reason != "lost" {
			t.Fatalf("%+v %v", r, err)
		}
	}
}

func TestTornLiveFile(t *testing.T) {
	all := stream(t, "ses_a", 3, false)
	for _, cut := range []int{0, 1, 5, 700} {
		dir := t.TempDir()
		s := openStore(t, dir)
		if _, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Data: all}}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, s.liveSession("ses_a").key)
		must(t, s.Close())
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(b[:len(b)-cut], make([]byte, cut+100)...), 0o600)) // zeros, as a power cut leaves
		s = openStore(t, dir)
		for sent := uint64(0); sent < uint64(len(all)); {
			acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Offset: sent, Data: all[sent:]}})
			if err != nil || acks[0].Diverged || acks[0].Retry {
				t.Fatal(cut, acks, err)
			}
			sent = acks[0].Offset
		}
		r, err := s.Get(t.Context(), "ses_a")
		if err != nil || r.Actions != 3 {
			t.Fatalf("%+v %v", r, err)
		}
		must(t, s.Close())
	}
}

func TestLost(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer s.Close()
	all := stream(t, "ses_a", 3, false)
	_, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Data: all[:len(all)-3]}})
	must(t, err)
	must(t, s.Lost(t.Context(), "ses_a"))
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	if r, err := s.Get(t.Context(), "ses_a"); err != nil || !r.Lost || r.Live {
		t.Fatalf("%+v %v", r, err)
	}
	if err := s.Lost(t.Context(), "ses_a"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

// TestIndexGone: it is made again from the records.
func TestIndexGone(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, id := range []string{"ses_a", "ses_b"} {
		_, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: id, Data: stream(t, id, 3, id == "ses_a")}})
		must(t, err)
	}
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, indexFile)))
	s = openStore(t, dir)
	defer s.Close()
	if p, err := s.List(t.Context(), Filter{Table: "customers", Text: "sel*"}); err != nil || len(p.Sessions) != 2 || p.Sessions[0].Node != "n1" {
		t.Fatalf("%+v %v", p, err)
	}
	if _, err := s.Proof(t.Context(), "ses_a"); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull: what does not fit is not acknowledged, and comes again when there is room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := xunix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatalf("this test needs root to mount a small tmpfs: %v", err)
	}
	defer func() { must(t, xunix.Unmount(dir, 0)) }()
	s := openStore(t, filepath.Join(dir, "store"))
	defer s.Close()
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 15500<<10), 0o600))
	all := stream(t, "ses_a", 1500, true)
	sent, refused := uint64(0), 0
	for sent < uint64(len(all)) {
		end := min(sent+32<<10, uint64(len(all)))
		acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_a", Offset: sent, Data: all[sent:end]}})
		switch {
		case err != nil || acks[0].Retry:
			if refused++; refused == 5 {
				must(t, os.Remove(ballast))
			}
			if refused > 100 {
				t.Fatal(sent, acks, err)
			}
			if err == nil {
				sent = acks[0].Offset
			}
		case acks[0].Diverged:
			t.Fatal(acks)
		default:
			sent = acks[0].Offset
		}
	}
	if refused < 5 {
		t.Fatalf("the disk was never full (%d bytes)", len(all))
	}
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	r, err := s.Get(t.Context(), "ses_a")
	if err != nil || r.Actions != 1500 || r.Lost {
		t.Fatalf("%+v %v", r, err)
	}
}

// TestMain doubles as the store that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("AUDIT_TEST_CHILD"); dir != "" {
		s, err := Open(filepath.Join(dir, "store"), Options{Key: testKey()})
		if err == nil {
			_ = os.Remove(filepath.Join(dir, "s.sock"))
			err = serve(context.Background(), filepath.Join(dir, "s.sock"), s)
		}
		panic(err)
	}
	os.Exit(m.Run())
}

// TestKill kills the store again and again while records arrive: nothing that was acknowledged
// (and so freed from the spool) is lost, and the index agrees with the files.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	sp := newSpool(t)
	shipTo(t, sp, filepath.Join(dir, "s.sock"))
	const sessions, actions = 24, 60
	var wg sync.WaitGroup
	for g := range sessions {
		wg.Go(func() {
			for range 2 {
				time.Sleep(time.Duration(g) * 20 * time.Millisecond)
			}
			w, err := sp.Begin(record.ModeWrite, openFrame(fmt.Sprintf("ses_%02d", g), "agent:a"))
			if err != nil {
				t.Error(err)
				return
			}
			writeSession(t, w, actions, "select 1")
			if err := w.Close(record.Close{Reason: "client"}); err != nil {
				t.Error(err)
			}
		})
	}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "AUDIT_TEST_CHILD="+dir)
		must(t, cmd.Start())
		time.Sleep(time.Duration(150+40*round) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	wg.Wait()
	_ = os.Remove(filepath.Join(dir, "s.sock"))
	s := openStore(t, filepath.Join(dir, "store"))
	go serve(t.Context(), filepath.Join(dir, "s.sock"), s)
	defer func() {
		if t.Failed() {
			t.Logf("%d sealed, spool has %d bytes: %+v", sealedCount(t, s), sp.Used(), sp.Backlogs(nil))
		}
	}()
	eventually(t, "all sealed", func() bool { return sealedCount(t, s) == sessions && sp.Used() == 0 })
	sum, err := Verify(t.Context(), filepath.Join(dir, "store"), VerifyOptions{Key: testPub()}, func(r Result) {
		if !r.OK() || r.Report.Frames != actions*3+3 || r.Report.Lost {
			t.Errorf("%+v", r)
		}
	})
	if err != nil || !sum.OK() || sum.Records != sessions {
		t.Fatalf("%+v %v", sum, err)
	}
	for g := range sessions {
		r, err := s.Get(t.Context(), fmt.Sprintf("ses_%02d", g))
		if err != nil || r.Actions != actions || r.Rows != int64(actions-actions/3)*2 {
			t.Errorf("%+v %v", r, err)
		}
	}
	must(t, s.Close())
}

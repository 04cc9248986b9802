package replica

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/localserver"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// group is a database and a folder that replicas share.
type group struct {
	t      *testing.T
	url    string
	folder string // shared
	dir    string // of records, in it
	key    ed25519.PrivateKey
	// bodies opens what records are in; nil: files in the folder.
	bodies   func() blob.Store
	patience time.Duration
	keys     audit.Keyring // nil: bodies are not encrypted
}

// open opens the store for a tenure, as the control plane does.
func (g *group) open(ctx context.Context, db *pgdb.DB, t Tenure) (*audit.Store, error) {
	x, err := sqlindex.NewPostgresOf(ctx, db, t.Term)
	if err != nil {
		return nil, err
	}
	if t.Forced {
		if err := audit.TakeOver(ctx, filepath.Join(t.Folder, "audit")); err != nil {
			return nil, err
		}
	}
	opt := audit.Options{Key: g.key, Index: x, Keys: g.keys}
	if g.bodies != nil {
		opt.Blobs = g.bodies()
	}
	return audit.Open(filepath.Join(t.Folder, "audit"), opt)
}

func (g *group) blobs() blob.Store {
	if g.bodies == nil {
		return blob.NewFiles(g.dir)
	}
	return g.bodies()
}

func newGroup(t *testing.T) *group {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../../../.tools", pgserver.Newest)
	must(t, err)
	s, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	must(t, err)
	t.Cleanup(func() { s.Stop() })
	return newGroupIn(t, s.URL("postgres"), t.TempDir())
}

func newGroupIn(t *testing.T, url, folder string) *group {
	dir := filepath.Join(folder, "audit")
	_ = os.MkdirAll(dir, 0o700)
	return &group{t: t, url: url, folder: folder, dir: dir, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

// member is one replica.
type member struct {
	*Keeper
	db     *pgdb.DB
	reader *audit.Reader
	terms  chan pgdb.Term
	closed bool
}

func (g *group) join(name string) *member {
	g.t.Helper()
	db, err := pgdb.Open(g.t.Context(), g.url, quiet)
	must(g.t, err)
	m := &member{db: db, terms: make(chan pgdb.Term, 100)}
	x, err := sqlindex.NewPostgres(g.t.Context(), db)
	must(g.t, err)
	m.reader = audit.NewReader(g.dir, audit.ReaderOptions{Index: x, Blobs: g.blobs()})
	port := freePort(g.t)
	m.Keeper, err = Open(g.t.Context(), Options{DB: db, Name: name, Listen: port, Address: port, Folder: g.folder, Log: quiet,
		Lost:  func(err error) { g.t.Error(err) },
		Force: g.bodies == nil, Patience: g.patience,
		Store: func(ctx context.Context, t Tenure) (*audit.Store, func() error, error) {
			m.terms <- t.Term
			s, err := g.open(ctx, db, t)
			return s, func() error { return nil }, err
		}})
	must(g.t, err)
	g.t.Cleanup(m.leave)
	return m
}

// leave ends it, once.
func (m *member) leave() {
	if !m.closed {
		m.closed = true
		_ = m.Keeper.Close()
		_ = m.reader.Close()
		_ = m.db.Close()
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

// streamOf is a record of n actions and an end.
func streamOf(t *testing.T, id string, n int) []byte {
	t.Helper()
	b, err := makeStream(t.TempDir(), id, n)
	must(t, err)
	return b
}

func makeStream(dir, id string, n int) ([]byte, error) {
	sp, err := record.OpenSpool(dir, record.Options{})
	if err != nil {
		return nil, err
	}
	defer sp.Close()
	w, err := sp.Begin(record.ModeWrite, record.Open{Session: policy.Session{ID: id, Started: time.Now()}, Target: policy.Target{Name: "shop", Protocol: "postgres"},
		Identity: identity.New("agent:a"), Node: "n1"})
	if err != nil {
		return nil, err
	}
	for i := 1; i <= n; i++ {
		err = errors.Join(err, w.AppendJSON(record.KindAction, uint64(i), record.ActionPayload{Action: action.Action{Kind: action.KindSQL, Text: fmt.Sprint("SELECT ", i)}, Decision: policy.Decision{Verdict: policy.Allow}}))
	}
	if err = errors.Join(err, w.Close(record.Close{Reason: "client"})); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<20)
	size, err := sp.ReadAt(id, buf, 0)
	return buf[:size], err
}

func (m *member) put(t *testing.T, id string, all []byte, from, to int) {
	t.Helper()
	acks, err := m.Append(t.Context(), "n1", []ship.Chunk{{Session: id, Offset: uint64(from), Data: all[from:to]}})
	if err != nil || len(acks) != 1 || acks[0].Offset != uint64(to) || acks[0].Diverged || acks[0].Retry {
		t.Fatal(acks, err)
	}
}

// TestHandOver: what either gets is kept once; a tail through the other one goes on when the keeper leaves; what the old one
// would still write is refused; and the store verifies.
func TestHandOver(t *testing.T) {
	t.Run("files", func(t *testing.T) { handOver(t, newGroup(t)) })
	t.Run("bucket", func(t *testing.T) {
		g, dir := newGroup(t), t.TempDir()
		g.bodies = func() blob.Store {
			b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
			must(t, err)
			t.Cleanup(func() { b.Close() })
			return bucket.New(b, bucket.Options{})
		}
		handOver(t, g)
	})
}

func handOver(t *testing.T, g *group) {
	a := g.join("a")
	eventually(t, "a keeps", func() bool { return a.Store() != nil })
	b := g.join("b")
	all := streamOf(t, "ses_1", 40)
	third := len(all) / 3
	a.put(t, "ses_1", all, 0, third)
	b.put(t, "ses_1", all, third, 2*third)
	acks, err := b.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_1", Offset: 0, Data: all[:third]}}) // sent again
	if err != nil || acks[0].Offset != uint64(2*third) {
		t.Fatal(acks, err)
	}
	tail, err := b.reader.Tail(t.Context(), "ses_1", true)
	must(t, err)
	defer tail.Close()
	var seen []uint64
	next := func() error {
		f, err := tail.Next()
		if err == nil && f.Kind == record.KindAction {
			seen = append(seen, f.Action)
		}
		return err
	}
	for len(seen) < 10 {
		must(t, next())
	}

	old := <-a.terms
	stale, err := sqlindex.NewPostgresOf(t.Context(), b.db, old)
	must(t, err)
	a.leave()
	eventually(t, "b keeps", func() bool { return b.Store() != nil })
	if err := stale.Write(t.Context(), &index.Batch{Sessions: []index.Session{{ID: "ses_1", Frames: 1}}}); !errors.Is(err, pgdb.ErrDeposed) {
		t.Error("a write of the old term:", err)
	}
	for at := 2 * third; at < len(all); { // in many parts, which a bucket joins under the tail
		to := min(len(all), at+max(1, third/50))
		b.put(t, "ses_1", all, at, to)
		at = to
	}
	for err = next(); err == nil; err = next() {
	}
	if err != io.EOF || len(seen) != 40 {
		t.Fatalf("%d actions, %v", len(seen), err)
	}
	for i, n := range seen {
		if n != uint64(i+1) {
			t.Fatal("in order:", seen)
		}
	}
	eventually(t, "sealed", func() bool { s, err := b.reader.Get(t.Context(), "ses_1"); return err == nil && s.Sealed })
	p, err := b.reader.Proof(t.Context(), "ses_1")
	must(t, err)
	must(t, p.Verify(g.key.Public().(ed25519.PublicKey)))
	b.leave()
	sum, err := audit.Verify(t.Context(), g.dir, audit.VerifyOptions{Key: g.key.Public().(ed25519.PublicKey), Bodies: g.blobs()}, func(audit.Result) {})
	if err != nil || !sum.OK() || sum.Records != 1 {
		t.Error(sum, err)
	}
}

// TestConnectionsLost: when the database drops all connections, somebody keeps the records again, and what was acknowledged
// is there.
func TestConnectionsLost(t *testing.T) {
	g := newGroup(t)
	a := g.join("a")
	eventually(t, "a keeps", func() bool { return a.Store() != nil })
	b := g.join("b")
	admin, err := pgdb.Open(t.Context(), g.url, quiet)
	must(t, err)
	defer admin.Close()
	all := streamOf(t, "ses_1", 200)
	at := 0
	for n, m := range []*member{a, b, a, b} {
		to := min(len(all), at+len(all)/4+1)
		eventually(t, "records are kept", func() bool {
			acks, err := m.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_1", Offset: uint64(at), Data: all[at:to]}})
			return err == nil && len(acks) == 1 && acks[0].Offset == uint64(to) && !acks[0].Diverged && !acks[0].Retry
		})
		if at = to; n == 3 {
			break
		}
		_, err := admin.SQL.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
		must(t, err)
		time.Sleep(time.Duration(n) * 1200 * time.Millisecond) // while the loss is not noticed yet, and after
	}
	eventually(t, "sealed", func() bool { s, err := b.reader.Get(t.Context(), "ses_1"); return err == nil && s.Sealed })
	a.leave()
	b.leave()
	sum, err := audit.Verify(t.Context(), g.dir, audit.VerifyOptions{Key: g.key.Public().(ed25519.PublicKey)}, func(audit.Result) {})
	if err != nil || !sum.OK() || sum.Records != 1 {
		t.Error(sum, err)
	}
}

// TestForwarded: what the other one asks for keeps its meaning, errors too.
func TestForwarded(t *testing.T) {
	g := newGroup(t)
	a := g.join("a")
	eventually(t, "a keeps", func() bool { return a.Store() != nil })
	b := g.join("b")
	all := streamOf(t, "ses_1", 3)
	b.put(t, "ses_1", all, 0, len(all)/2)
	if err := b.Delete(t.Context(), audit.Requested, "ses_1"); !errors.Is(err, audit.ErrLive) {
		t.Error(err)
	}
	if err := b.Lost(t.Context(), "ses_none"); !errors.Is(err, audit.ErrNotFound) {
		t.Error(err)
	}
	must(t, b.Lost(t.Context(), "ses_1"))
	eventually(t, "sealed", func() bool { s, err := b.reader.Get(t.Context(), "ses_1"); return err == nil && s.Sealed && s.Lost })
	must(t, b.Delete(t.Context(), audit.Requested, "ses_1"))
	if _, err := b.reader.Get(t.Context(), "ses_1"); !errors.Is(err, audit.ErrNotFound) {
		t.Error(err)
	}
	if alive, err := b.Alive(t.Context(), "a"); !alive || err != nil {
		t.Error(alive, err)
	}
	if _, err := Open(t.Context(), Options{DB: b.db, Name: "a", Listen: freePort(t), Folder: g.folder, Log: quiet, Lost: func(error) {}}); !errors.Is(err, pgdb.ErrTaken) {
		t.Error("a name twice:", err)
	}
	if _, err := Idle(g.folder); err == nil || !strings.Contains(err.Error(), "stop all") {
		t.Error(err)
	}
	a.leave()
	if alive, err := b.Alive(t.Context(), "a"); alive || err != nil {
		t.Error(alive, err)
	}
}

// TestStrangers: without a replica's key nobody is served, and nobody passes for the keeper.
func TestStrangers(t *testing.T) {
	g := newGroup(t)
	a := g.join("a")
	eventually(t, "a keeps", func() bool { return a.Store() != nil })
	stranger, err := newKeyPair("a")
	must(t, err)
	for name, certs := range map[string][]tls.Certificate{"none": nil, "its own": {stranger}} {
		c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certs}}}
		r, w := io.Pipe()
		go func() {
			_ = gob.NewEncoder(w).Encode(request{Op: opDelete, Sessions: []string{"ses_1"}})
			w.Close()
		}()
		res, err := c.Post("https://"+a.opt.Address+path, "", r)
		if err == nil {
			t.Errorf("a stranger with %s is answered: %s", name, res.Status)
			res.Body.Close()
		}
	}
	// The database says that a is at b's address, which has another key.
	b := g.join("b")
	_, err = b.db.SQL.ExecContext(t.Context(), "UPDATE replica SET address = $1 WHERE name = 'a'", b.opt.Address)
	must(t, err)
	all := streamOf(t, "ses_1", 1)
	if _, err := b.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_1", Data: all}}); err == nil || !strings.Contains(err.Error(), "not the replica a") {
		t.Error("somebody else passes for the keeper:", err)
	}
	// Those who are known cannot do more than the operations.
	_, err = b.db.SQL.ExecContext(t.Context(), "UPDATE replica SET address = $1 WHERE name = 'a'", a.opt.Address)
	must(t, err)
	for name, q := range map[string]request{"an odd operation": {Op: "read"}, "a path": {Op: opAppend, Chunks: []ship.Chunk{{Session: "../../x"}}},
		"too many": {Op: opLost, Sessions: make([]string, maxSessions+1)}} {
		if _, err := b.peers.call(t.Context(), q); err == nil {
			t.Error(name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, "sessions", "*")); len(left) > 0 {
		t.Error(left)
	}
}

// freePort is a loopback address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := localserver.FreePort()
	must(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

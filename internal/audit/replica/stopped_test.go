package replica

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/envelope"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/record/ship"
)

const (
	stopRounds = 4
	writers    = 3
)

// TestMain lets the test's binary be a replica of its own.
func TestMain(m *testing.M) {
	if os.Getenv("REPLICA_URL") != "" {
		fmt.Fprintln(os.Stderr, beReplica(os.Getenv("REPLICA_URL"), os.Getenv("REPLICA_DIR"), os.Getenv("REPLICA_SPOOL"), os.Getenv("REPLICA_NAME")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// beReplica takes part, and gives the keeper sessions without end, in parts; what is acknowledged it says. As gateways do, it
// keeps each session in a spool.
func beReplica(url, dir, spool, name string) error {
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := pgdb.Open(ctx, url, log)
	if err != nil {
		return err
	}
	if _, err := sqlindex.NewPostgres(ctx, db); err != nil { // makes the tables
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := l.Addr().String()
	l.Close()
	g := newGroupIn(nil, url, dir)
	if g.keys, err = envelope.OpenOrCreate(ctx, "file:"+filepath.Join(dir, "kek")); err != nil {
		return err
	}
	k, err := Open(ctx, Options{DB: db, Name: name, Listen: at, Address: at, Folder: dir, Log: log, Force: true, Patience: time.Second,
		Lost: func(err error) { fmt.Fprintln(os.Stderr, err) },
		Store: func(ctx context.Context, t Tenure) (*audit.Store, func() error, error) {
			s, err := g.open(ctx, db, t)
			return s, func() error { return nil }, err
		}})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for w := range writers {
		go func() {
			for i := 0; ; i++ {
				if err := writeSession(ctx, k, spool, fmt.Sprintf("ses_%s_%d_%d", name, w, i)); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	return <-errs
}

func writeSession(ctx context.Context, k *Keeper, spool, id string) error {
	tmp, err := os.MkdirTemp("", "replica-")
	if err != nil {
		return err
	}
	all, err := makeStream(tmp, id, 30)
	if err = errors.Join(err, os.RemoveAll(tmp)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(spool, id+".tmp"), all, 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(spool, id+".tmp"), filepath.Join(spool, id)); err != nil {
		return err
	}
	for at := 0; at < len(all); {
		to := min(len(all), at+1+len(all)/8)
		acks, err := k.Append(ctx, "n1", []ship.Chunk{{Session: id, Offset: uint64(at), Data: all[at:to], Ended: to == len(all)}})
		if err != nil || len(acks) != 1 || acks[0].Retry {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if acks[0].Diverged {
			return fmt.Errorf("%s diverged", id)
		}
		at = int(acks[0].Offset)
		fmt.Printf("%s %d\n", id, at)
	}
	return nil
}

// other is a replica in a process of its own.
type other struct {
	*child.Child
	mu  sync.Mutex
	got map[string]int // acknowledged, by session
	n   int
}

func (g *group) process(name, spool string) *other {
	g.t.Helper()
	u := g.url + "?application_name=" + name
	if strings.Contains(g.url, "?") {
		u = g.url + "&application_name=" + name
	}
	out, in := io.Pipe()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REPLICA_URL="+u, "REPLICA_DIR="+g.folder, "REPLICA_SPOOL="+spool, "REPLICA_NAME="+name)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = in, &said
	c, err := child.Start(cmd, syscall.SIGKILL)
	must(g.t, err)
	o := &other{Child: c, got: map[string]int{}}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, at, _ := strings.Cut(lines.Text(), " ")
			n, _ := strconv.Atoi(at)
			o.mu.Lock()
			o.got[id], o.n = n, o.n+1
			o.mu.Unlock()
		}
	}()
	g.t.Cleanup(func() {
		if o.End(syscall.SIGKILL, time.Minute); g.t.Failed() {
			g.t.Log(said.String())
		}
	})
	return o
}

func (o *other) acked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n
}

// stopped says that the process is, as /proc has it.
func (o *other) stopped() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.PID()))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err == nil && strings.HasPrefix(rest, "T")
}

// over says that the process has ended.
func (o *other) over() bool {
	select {
	case <-o.Done():
		return true
	default:
		return false
	}
}

// resend gives a replica what is in the spool, as gateways do after a loss.
func (m *member) resend(t *testing.T, spool string, only func(i int) bool) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(spool, "ses_*[0-9]"))
	must(t, err)
	for i, f := range files {
		if !only(i) {
			continue
		}
		all, err := os.ReadFile(f)
		must(t, err)
		eventually(t, "the spool is taken", func() bool {
			acks, err := m.Append(t.Context(), "n1", []ship.Chunk{{Session: filepath.Base(f), Data: all, Ended: true}})
			if err == nil && acks[0].Diverged {
				t.Fatal(f, "diverged")
			}
			return err == nil && !acks[0].Retry && acks[0].Offset == uint64(len(all))
		})
	}
	return len(files)
}

// TestStoppedKeeper: a keeper that is stopped at any moment (SIGSTOP) is followed by another one, and when it goes on it changes
// nothing: what either acknowledged is in the store, once, sealed and proven.
func TestStoppedKeeper(t *testing.T) {
	g, spool := newGroup(t), t.TempDir()
	g.patience = 300 * time.Millisecond
	ring, err := envelope.OpenOrCreate(t.Context(), "file:"+filepath.Join(g.folder, "kek"))
	must(t, err)
	g.keys = ring
	admin, err := pgdb.Open(t.Context(), g.url, quiet)
	must(t, err)
	defer admin.Close()
	for round := range stopRounds {
		g.stopRound(fmt.Sprint("other", round), spool, admin)
	}
	last := g.join("last")
	eventually(t, "last keeps", func() bool { return last.Store() != nil })
	n := last.resend(t, spool, func(int) bool { return true })
	eventually(t, "all is sealed", func() bool {
		live, err := filepath.Glob(filepath.Join(g.dir, "sessions", "*", "*", "*", "*.live"))
		return err == nil && len(live) == 0
	})
	last.leave()
	sum, err := audit.Verify(t.Context(), g.dir, audit.VerifyOptions{Key: g.key.Public().(ed25519.PublicKey), Keys: ring}, func(r audit.Result) {
		if !r.OK() {
			t.Error(r)
		}
	})
	if err != nil || !sum.OK() || sum.Records != n || n < stopRounds*writers {
		t.Error(sum, err, n)
	}
	t.Logf("%d sessions after %d stops", n, stopRounds)
}

func (g *group) stopRound(name, spool string, admin *pgdb.DB) {
	t := g.t
	t.Helper()
	o := g.process(name, spool)
	eventually(t, name+" keeps", func() bool { return o.acked() > 5*writers })
	b := g.join("b-" + name)
	time.Sleep(rand.N(100 * time.Millisecond))
	must(t, o.Signal(syscall.SIGSTOP))
	eventually(t, "stopped", o.stopped)
	// The server ends what is silent for 15 s; that is not waited for here.
	_, err := admin.SQL.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", name)
	must(t, err)
	eventually(t, "the next one keeps", func() bool { return b.Store() != nil })
	b.resend(t, spool, func(i int) bool { return i%2 == 0 })
	o.mu.Lock()
	for id, at := range o.got {
		if s, err := b.reader.Get(t.Context(), id); err != nil || s.Stream < uint64(at) {
			t.Errorf("%s: %d were acknowledged, there are %d: %v", id, at, s.Stream, err)
		}
	}
	o.mu.Unlock()
	before := o.acked()
	must(t, o.Signal(syscall.SIGCONT))
	b.resend(t, spool, func(int) bool { return true })
	eventually(t, "it hands over to the next one", func() bool { return o.acked() > before+5*writers || o.over() })
	if o.over() {
		t.Log(name, "has ended itself: ", o.Wait())
	}
	o.End(syscall.SIGKILL, time.Minute)
	b.resend(t, spool, func(int) bool { return true })
	b.leave()
}

// TestGates: a term's way is shut for all that has it in its path once a later term begins, and an older one opens none.
func TestGates(t *testing.T) {
	dir := t.TempDir()
	one, err := openGate(dir, 3)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(one, "a"), []byte("a"), 0o600))
	open, err := os.OpenFile(filepath.Join(one, "b"), os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	defer open.Close()
	two, err := openGate(dir, 5)
	must(t, err)
	for what, err := range map[string]error{"create": os.WriteFile(filepath.Join(one, "c"), nil, 0o600), "rename": os.Rename(filepath.Join(one, "a"), filepath.Join(one, "c")),
		"remove": os.Remove(filepath.Join(one, "a")), "folder": os.MkdirAll(filepath.Join(one, "d", "e"), 0o700), "link": os.Link(filepath.Join(two, "a"), filepath.Join(one, "c"))} {
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := openGate(dir, 4); !errors.Is(err, os.ErrExist) {
		t.Error("an older term:", err)
	}
	if _, err := openGate(dir, 5); !errors.Is(err, os.ErrExist) {
		t.Error("the same term:", err)
	}
	if b, err := os.ReadFile(filepath.Join(two, "a")); err != nil || string(b) != "a" {
		t.Error(err)
	}
	if _, err := io.WriteString(open, "late"); err != nil { // what is open stays so: bodies are renewed
		t.Error(err)
	}
	for n := int64(6); n < 6+2*gatesKept; n += 40 {
		if _, err := openGate(dir, n); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, gateDir))
	if err != nil || len(left) > gatesKept+41 {
		t.Error(len(left), err)
	}
}

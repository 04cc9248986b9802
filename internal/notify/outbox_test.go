package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kind is a kind of outbox, and one place for it: opened again, it has what it had.
type kind interface {
	open(t *testing.T, sinks []string, most int64, wake func()) Outbox
	used(t *testing.T, o Outbox) (bytes int64)
	fault(t *testing.T, o Outbox, on bool) // nothing can be added
}

type inFile struct{ path string }

func newFile(t *testing.T) kind { return inFile{filepath.Join(t.TempDir(), "outbox.db")} }

func (k inFile) open(t *testing.T, sinks []string, most int64, _ func()) Outbox {
	t.Helper()
	o, err := OpenSQLite(t.Context(), k.path, sinks, most, time.Now)
	must(t, err)
	return o
}

func (k inFile) used(t *testing.T, o Outbox) int64 {
	t.Helper()
	var n int64
	must(t, o.(*SQLite).db.QueryRow("SELECT coalesce(sum(size), 0) FROM events").Scan(&n))
	if kept := o.(*SQLite).used.Load(); n != kept {
		t.Errorf("%d bytes, %d are counted", n, kept)
	}
	return n
}

func (k inFile) fault(t *testing.T, o Outbox, on bool) {
	t.Helper()
	text := "DROP TRIGGER fault"
	if on {
		text = "CREATE TRIGGER fault BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'a fault'); END"
	}
	_, err := o.(*SQLite).db.Exec(text)
	must(t, err)
}

type inDatabase struct{ db *pgdb.DB }

func (k inDatabase) open(t *testing.T, sinks []string, most int64, wake func()) Outbox {
	t.Helper()
	o, err := NewPostgres(t.Context(), k.db, sinks, most, time.Now, wake)
	must(t, err)
	return o
}

func (k inDatabase) used(t *testing.T, _ Outbox) int64 {
	t.Helper()
	var n, kept int64
	must(t, k.db.SQL.QueryRow("SELECT (SELECT coalesce(sum(size), 0) FROM outbox_event), (SELECT bytes FROM outbox_used)").Scan(&n, &kept))
	if n != kept {
		t.Errorf("%d bytes, %d are counted", n, kept)
	}
	return n
}

func (k inDatabase) fault(t *testing.T, _ Outbox, on bool) {
	t.Helper()
	text := "ALTER TABLE outbox_event DROP CONSTRAINT fault"
	if on {
		text = "ALTER TABLE outbox_event ADD CONSTRAINT fault CHECK (false) NOT VALID"
	}
	_, err := k.db.SQL.Exec(text)
	must(t, err)
}

// databases are new ones on one server.
func databases(t *testing.T) func(t *testing.T) inDatabase {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../../.tools", pgserver.Newest)
	must(t, err)
	s, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	must(t, err)
	t.Cleanup(func() { s.Stop() })
	admin, err := pgdb.Open(t.Context(), s.URL("postgres"), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { admin.Close() })
	made := 0
	return func(t *testing.T) inDatabase {
		t.Helper()
		made++
		name := fmt.Sprint("t", made)
		_, err := admin.SQL.Exec("CREATE DATABASE " + name)
		must(t, err)
		db, err := pgdb.Open(t.Context(), s.URL(name), slog.New(slog.DiscardHandler))
		must(t, err)
		t.Cleanup(func() { db.Close() })
		return inDatabase{db}
	}
}

// TestPostgres: the tests of the other kind, and what several processes want.
func TestPostgres(t *testing.T) {
	fresh := databases(t)
	for name, f := range map[string]func(*testing.T, kind){"AtLeastOnce": atLeastOnce, "TwoSinks": twoSinks, "Poison": poison, "Bounded": bounded, "RefusedBatch": refusedBatch} {
		t.Run(name, func(t *testing.T) { f(t, fresh(t)) })
	}
	t.Run("Turns", func(t *testing.T) { turns(t, fresh(t)) })
	t.Run("Order", func(t *testing.T) { order(t, fresh(t)) })
	t.Run("Two", func(t *testing.T) { two(t, fresh(t)) })
	t.Run("Move", func(t *testing.T) { move(t, fresh(t)) })
}

func some(from, n int) (all []export.Event) {
	for i := from; i < from+n; i++ {
		all = append(all, export.Event{ID: fmt.Sprintf("ses/%d", i), Session: "ses", Seq: uint64(i)})
	}
	return all
}

// turns: one sends at a time, another one goes on when its turn is over, and what the first one says then does not count.
func turns(t *testing.T, k inDatabase) {
	a, b := k.open(t, []string{"s"}, 0, func() {}), k.open(t, []string{"s"}, 0, func() {})
	must(t, a.Add(t.Context(), some(0, 4)))
	one, err := a.Next(t.Context(), "s", 2, 1<<20)
	if err != nil || len(one) != 2 {
		t.Fatal(one, err)
	}
	if _, err := b.Next(t.Context(), "s", 2, 1<<20); !errors.Is(err, ErrBusy) {
		t.Fatal("two send at a time:", err)
	}
	if again, err := a.Next(t.Context(), "s", 2, 1<<20); err != nil || again[0].N != one[0].N {
		t.Fatal("its own turn:", again, err)
	}
	_, err = k.db.SQL.Exec("UPDATE outbox_turn SET until = clock_timestamp() - interval '1 second'") // it has passed
	must(t, err)
	two, err := b.Next(t.Context(), "s", 4, 1<<20)
	if err != nil || len(two) != 4 || two[0].Event.ID != one[0].Event.ID {
		t.Fatal(two, err)
	}
	if err := a.Done(t.Context(), "s", one[1].N, 2, 0); !errors.Is(err, ErrBusy) {
		t.Error("a turn that was lost:", err)
	}
	must(t, b.Done(t.Context(), "s", two[3].N, 4, 0))
	if none, err := b.Next(t.Context(), "s", 4, 1<<20); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
	must(t, a.Add(t.Context(), some(4, 1)))
	if list, err := a.Next(t.Context(), "s", 4, 1<<20); err != nil || len(list) != 1 { // b has given it back
		t.Error(list, err)
	}
	must(t, a.Close())
	if list, err := b.Next(t.Context(), "s", 4, 1<<20); err != nil || len(list) != 1 {
		t.Error("Close gives the turn back:", list, err)
	}
	list, err := b.Backlogs(t.Context())
	if err != nil || list[0].Sent != 4 || list[0].Waiting != 1 {
		t.Error(list, err)
	}
	must(t, b.Close())
}

// order: of several that add at a time, a sink that reads meanwhile misses none.
func order(t *testing.T, k inDatabase) {
	const hands, each = 4, 40
	var wg sync.WaitGroup
	for h := range hands {
		o := k.open(t, []string{"s"}, 0, func() {})
		wg.Go(func() {
			for i := range each {
				if err := o.Add(context.Background(), []export.Event{{ID: fmt.Sprint(h, "/", i), Session: fmt.Sprint(h), Seq: uint64(i)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reader := k.open(t, []string{"s"}, 0, func() {})
	next := map[string]uint64{}
	for n := 0; n < hands*each; {
		items, err := reader.Next(t.Context(), "s", 7, 1<<20)
		must(t, err)
		for _, it := range items {
			if it.Event.Seq != next[it.Event.Session] {
				t.Fatalf("%s comes, %d should", it.Event.ID, next[it.Event.Session])
			}
			next[it.Event.Session]++
		}
		if n += len(items); len(items) > 0 {
			must(t, reader.Done(t.Context(), "s", items[len(items)-1].N, len(items), 0))
		}
	}
	wg.Wait()
	if n := k.used(t, reader); n != 0 {
		t.Error(n)
	}
}

// two: what one process has added another one sends, when the first is gone; and it is told of at once.
func two(t *testing.T, k inDatabase) {
	hook := newReceiver(t)
	sink := hook.sink("a")
	gone := k.open(t, []string{sink.Name()}, 0, func() {})
	must(t, gone.Add(t.Context(), some(0, 50)))
	d := &Delivery{Sinks: []Sink{sink}, Log: slog.New(slog.DiscardHandler), Backoff: 5 * time.Millisecond}
	d.Outbox = k.open(t, []string{sink.Name()}, 0, d.Wake)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	eventually(t, "what the other one had", func() bool { return len(hook.got()) == 50 })
	began := time.Now()
	must(t, gone.Add(t.Context(), some(50, 1)))
	eventually(t, "what it adds now", func() bool { return len(hook.got()) == 51 })
	if took := time.Since(began); took > look/2 {
		t.Error("it is not told: ", took)
	}
	stop()
	<-done
	if seq, known, err := d.Outbox.Progress(t.Context(), "ses"); err != nil || !known || seq != 50 {
		t.Error(seq, known, err)
	}
}

// move: what waits in a file is in the database afterwards, and the file is put aside.
func move(t *testing.T, k inDatabase) {
	f := newFile(t).(inFile)
	old := f.open(t, []string{"s", "t"}, 0, func() {})
	must(t, old.Add(t.Context(), some(0, 1200)))
	items, err := old.Next(t.Context(), "s", 100, 1<<20)
	must(t, err)
	for _, sink := range []string{"s", "t"} {
		must(t, old.Done(t.Context(), sink, items[9].N, 10, 0))
	}
	must(t, old.Close())
	o := k.open(t, []string{"s", "t"}, 0, func() {})
	for range 2 { // the second time there is nothing
		_, err := Move(t.Context(), f.path, []string{"s", "t"}, o)
		must(t, err)
	}
	if _, err := os.Stat(f.path + movedExt); err != nil {
		t.Error(err)
	}
	items, err = o.Next(t.Context(), "t", 1, 1<<20)
	list, err2 := o.Backlogs(t.Context())
	if err != nil || err2 != nil || items[0].Event.ID != "ses/10" || len(list) != 2 || list[0].Waiting != 1190 || list[1].Waiting != 1190 {
		t.Error(items, list, err, err2)
	}
	var n int
	must(t, k.db.SQL.QueryRow("SELECT count(DISTINCT body) FROM outbox_event").Scan(&n))
	if errors.Is(err, sql.ErrNoRows) || n != 1190 {
		t.Error(n)
	}
}

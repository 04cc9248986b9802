package indextest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

func sessions(t *testing.T, x index.Index, again func() index.Index) {
	s := Sample(1)
	write(t, x, index.Batch{Sessions: []index.Session{s}})
	got, err := x.Get(t.Context(), s.ID)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, s, err)
	}
	s.Live, s.Ended, s.Sealed, s.Reason, s.Lost, s.Undecoded, s.File = false, epoch.Add(time.Hour), true, "client", true, 2, "elsewhere"
	write(t, x, index.Batch{Sessions: []index.Session{s, Sample(2)}})
	if got, err := again().Get(t.Context(), s.ID); err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, s, err)
	}
	if _, err := x.Get(t.Context(), "none"); !errors.Is(err, index.ErrNotFound) {
		t.Error(err)
	}
	must(t, x.Write(t.Context(), &index.Batch{}))
}

// beforeFirstFrame: until it has a frame, nobody knows when a session started.
func beforeFirstFrame(t *testing.T, x index.Index, _ func() index.Index) {
	early := Sample(9)
	early.Frames, early.ID = 0, Sample(1).ID
	write(t, x, index.Batch{Sessions: []index.Session{early, Sample(5)}})
	write(t, x, index.Batch{Sessions: []index.Session{early}})
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}, Facts: []index.Fact{{Session: Sample(1).ID, Kind: index.Verb, Value: "select"}}})
	if got := ids(t, x, index.Query{}); !slices.Equal(got, names(5, 1)) {
		t.Error(got)
	}
	if got := ids(t, x, index.Query{Verb: "select"}); !slices.Equal(got, names(1)) {
		t.Error(got)
	}
}

func sameStart(t *testing.T, x index.Index, _ func() index.Index) {
	var b index.Batch
	for n := range 30 {
		s := Sample(n)
		s.Started = epoch
		b.Sessions = append(b.Sessions, s)
		b.Facts = append(b.Facts, index.Fact{Session: s.ID, Kind: index.Actor, Value: "a"})
	}
	write(t, x, b)
	write(t, x, b)
	seen := map[string]bool{}
	for q := (index.Query{Identity: "a", Limit: 7, Since: epoch, Until: epoch.Add(1)}); ; {
		p, err := x.List(t.Context(), q)
		must(t, err)
		for _, s := range p.Sessions {
			if seen[s.ID] {
				t.Error("twice:", s.ID)
			}
			seen[s.ID] = true
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 30 {
		t.Error(len(seen))
	}
}

func remove(t *testing.T, x index.Index, again func() index.Index) {
	ctx := t.Context()
	a, b := Sample(1), Sample(2)
	batch := index.Batch{Sessions: []index.Session{a, b}}
	for _, s := range batch.Sessions {
		batch.Actions = append(batch.Actions, index.Change{Session: s.ID, Ordinal: 1, Base: &index.Action{Ordinal: 1, Time: s.Started, Kind: "sql", Text: "SELECT secret"}})
		batch.Facts = append(batch.Facts, index.Fact{Session: s.ID, Kind: index.Table, Value: "public.orders"})
		batch.Texts = append(batch.Texts, index.Text{Session: s.ID, Text: "SELECT secret"})
	}
	write(t, x, batch)
	must(t, x.AddLeaves(ctx, []index.Leaf{{N: 0, Session: a.ID, State: "closed", Frames: 5, Hash: "ab", FileHash: "cd"}}))
	must(t, x.Delete(ctx, a.ID))
	must(t, x.Delete(ctx, a.ID))
	must(t, x.Delete(ctx, "ses_never"))
	for _, y := range []index.Index{x, again()} {
		if _, err := y.Get(ctx, a.ID); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("got after Delete: %v", err)
		}
		if acts, err := y.Actions(ctx, a.ID, 0, 10); len(acts) > 0 {
			t.Errorf("actions after Delete: %v, %v", acts, err)
		}
		for name, q := range map[string]index.Query{"all": {}, "table": {Table: "public.orders"}, "text": {Text: "secret"}} {
			if got := ids(t, y, q); !slices.Equal(got, names(2)) {
				t.Errorf("%s: %v", name, got)
			}
		}
		if n, err := y.LastLeaf(ctx, a.ID); err != nil || n != 0 {
			t.Errorf("the leaf: %d, %v", n, err)
		}
	}
	// The same may come again, as when a node sends it once more.
	write(t, x, index.Batch{Sessions: []index.Session{a}})
	if got := ids(t, x, index.Query{Table: "public.orders"}); !slices.Equal(got, names(2)) {
		t.Errorf("old facts are there again: %v", got)
	}
}

func reopened(t *testing.T, x index.Index, again func() index.Index) {
	corpus(t, x)
	y := again()
	s := Sample(2)
	s.Rows = 99
	write(t, y, index.Batch{Sessions: []index.Session{s}, Facts: []index.Fact{{Session: s.ID, Kind: index.Verb, Value: "drop"}, {Session: Sample(3).ID, Kind: index.Verb, Value: "drop"}}})
	if got := ids(t, x, index.Query{Verb: "drop"}); !slices.Equal(got, names(3, 2)) {
		t.Error(got)
	}
	if got, err := x.Get(t.Context(), s.ID); err != nil || got.Rows != 99 {
		t.Error(got, err)
	}
}

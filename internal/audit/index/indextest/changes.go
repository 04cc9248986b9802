package indextest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

func leaves(t *testing.T, x index.Index, again func() index.Index) {
	if n, err := x.NextLeaf(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	var all []index.Leaf
	for n := range 120 {
		all = append(all, index.Leaf{N: uint64(n), Session: fmt.Sprint("s", n%7), State: "running", Frames: uint64(n), Hash: "h", FileHash: "f"})
	}
	must(t, x.AddLeaves(t.Context(), all[:100]))
	must(t, x.AddLeaves(t.Context(), all[90:]))
	must(t, x.AddLeaves(t.Context(), nil))
	if n, err := again().NextLeaf(t.Context()); n != 120 || err != nil {
		t.Error(n, err)
	}
	if n, err := x.LastLeaf(t.Context(), "s0"); n != 119 || err != nil {
		t.Error(n, err)
	}
	if _, err := x.LastLeaf(t.Context(), "none"); !errors.Is(err, index.ErrNotFound) {
		t.Error(err)
	}
	l := all[50]
	l.N = 0
	if ok, err := x.HasLeaf(t.Context(), l); !ok || err != nil {
		t.Error(ok, err)
	}
	l.FileHash = "g"
	if ok, err := x.HasLeaf(t.Context(), l); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, x.AddLeaves(t.Context(), []index.Leaf{{N: 130, Session: "s"}}))
	if n, err := x.NextLeaf(t.Context()); n != 0 || err != nil { // a gap: all of it again
		t.Error(n, err)
	}
}

func rebuild(t *testing.T, x index.Index, again func() index.Index) {
	corpus(t, x)
	must(t, x.AddLeaves(t.Context(), []index.Leaf{{N: 0, Session: "s"}}))
	if stale, err := x.Stale(t.Context()); stale || err != nil {
		t.Fatal(stale, err)
	}
	nodes, err := x.Rebuild(t.Context())
	if err != nil || len(nodes) != 6 || nodes["ses_003"] != "n1" {
		t.Fatal(nodes, err)
	}
	if got := ids(t, x, index.Query{}); len(got) != 0 {
		t.Error(got)
	}
	if n, err := x.NextLeaf(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	x = again()
	if stale, err := x.Stale(t.Context()); !stale || err != nil {
		t.Fatal(stale, err)
	}
	corpus(t, x)
	if nodes, err := x.Rebuild(t.Context()); err != nil || len(nodes) != 6 { // it was cut short
		t.Fatal(nodes, err)
	}
	corpus(t, x)
	must(t, x.Rebuilt(t.Context()))
	if stale, err := x.Stale(t.Context()); stale || err != nil {
		t.Fatal(stale, err)
	}
	if got := ids(t, x, index.Query{Text: "refund"}); !slices.Equal(got, names(3, 0)) {
		t.Error(got)
	}
}

func watch(t *testing.T, x index.Index, _ func() index.Index) {
	seen := make(chan string, 100)
	cancel := x.Watch(func(id string) { seen <- id })
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}})
	select {
	case id := <-seen:
		if id != "" && id != Sample(1).ID {
			t.Error(id)
		}
	case <-time.After(60 * time.Second):
		t.Error("not told")
	}
	cancel()
	time.Sleep(50 * time.Millisecond)
	for len(seen) > 0 {
		<-seen
	}
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}})
	select {
	case <-seen:
		t.Error("told after cancel")
	case <-time.After(50 * time.Millisecond):
	}
}

// together: many write at once, the same terms and starts, through two openings.
func together(t *testing.T, x index.Index, again func() index.Index) {
	y := again()
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 10 {
				s := Sample(g*10 + i)
				s.Started = epoch
				b := index.Batch{Sessions: []index.Session{s}, Texts: []index.Text{{Session: s.ID, Text: "together now"}}}
				for v := range 5 {
					b.Facts = append(b.Facts, index.Fact{Session: s.ID, Kind: index.Table, Value: fmt.Sprint("t", (g+i+v)%9)})
				}
				if err := []index.Index{x, y}[g%2].Write(t.Context(), &b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := ids(t, x, index.Query{Text: "now", Limit: 100}); len(got) != 60 {
		t.Error(len(got))
	}
	n := 0
	for v := range 9 {
		n += len(ids(t, y, index.Query{Table: fmt.Sprint("t", v), Limit: 100}))
	}
	if n != 300 {
		t.Error(n)
	}
}

// Package indextest is the conformance suite of index.Index.
package indextest

import (
	"fmt"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

// Run checks an index. open gives an empty one, which it closes; again opens the same anew, while it is open.
func Run(t *testing.T, open func(t *testing.T) (x index.Index, again func() index.Index)) {
	for name, f := range map[string]func(*testing.T, index.Index, func() index.Index){
		"Sessions": sessions, "BeforeItsFirstFrame": beforeFirstFrame, "SameStart": sameStart, "Actions": actions, "ManyActions": manyActions,
		"Search": search, "Text": text, "Pages": pages, "Times": times, "Queries": queries, "AllOrNothing": allOrNothing,
		"OddText": oddText, "Leaves": leaves, "Rebuild": rebuild, "Watch": watch, "Together": together, "Delete": remove, "Reopened": reopened, "Hostile": hostile,
	} {
		t.Run(name, func(t *testing.T) {
			x, again := open(t)
			f(t, x, again)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var epoch = time.Date(2026, 2, 3, 4, 5, 6, 789_000, time.UTC)

// Sample is session n, started n seconds after the first.
func Sample(n int) index.Session {
	return index.Session{ID: fmt.Sprintf("ses_%03d", n), File: fmt.Sprintf("sessions/2026/02/03/ses_%03d.live", n), Node: "n1", Target: fmt.Sprintf("target%d", n%2), Protocol: "postgres",
		Subject: "agent:ci", OnBehalfOf: "user:alice@example.com", Actors: []string{"user:alice@example.com", "agent:ci"}, Groups: []string{}, Issuer: "https://i", Method: "token",
		Started: epoch.Add(time.Duration(n) * time.Second), Live: true, Client: "127.0.0.1:5", Database: "shop", User: "app",
		Actions: int64(n), Rows: 7, Bytes: 1 << 40, Masked: 3, Frames: 5, Stream: 1 << 33, Hash: "ab"}
}

func write(t *testing.T, x index.Index, b index.Batch) {
	t.Helper()
	must(t, x.Write(t.Context(), &b))
}

func ids(t *testing.T, x index.Index, q index.Query) []string {
	t.Helper()
	p, err := x.List(t.Context(), q)
	must(t, err)
	got := []string{}
	for _, s := range p.Sessions {
		got = append(got, s.ID)
	}
	return got
}

func names(numbers ...int) []string {
	all := []string{}
	for _, n := range numbers {
		all = append(all, Sample(n).ID)
	}
	return all
}

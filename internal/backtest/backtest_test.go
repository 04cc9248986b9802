package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

var update = flag.Bool("update", false, "write the golden files")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func engineOf(t testing.TB, src policy.Source) *policy.Engine {
	t.Helper()
	b, err := src.Bundle()
	must(t, err)
	// A loaded machine is no reason to say that a policy fails.
	e, err := policy.Compile(t.Context(), b, policy.WithBudget(time.Minute))
	must(t, err)
	return e
}

func folder(t testing.TB, name string) *policy.Engine {
	return engineOf(t, policy.Source{Dir: filepath.Join("testdata", name)})
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func madeStore(t testing.TB, m backtesttest.Made) (dir string, sessions []backtesttest.Session) {
	t.Helper()
	dir = t.TempDir()
	if m.Start.IsZero() {
		m.Start, m.Every = start, time.Minute
	}
	sessions = m.History(folder(t, "old"))
	must(t, backtesttest.Write(t.Context(), dir, sessions...))
	return dir, sessions
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as before (go test -update writes it):\n%s", path, got)
	}
}

// The report of made history, as text and as JSON, whatever the number of workers.
func TestGoldenReport(t *testing.T) {
	dir, sessions := madeStore(t, backtesttest.Made{Seed: 1, Sessions: 40, Actions: 12, Response: 100})
	var first []byte
	for _, workers := range []int{1, 2, 7} {
		rep, err := Run(t.Context(), Options{Dir: dir, Engine: folder(t, "new"), Examples: 2, Workers: workers})
		must(t, err)
		if !rep.Whole() || rep.Actions != int64(backtesttest.Count(sessions)) || rep.Exact+rep.Carried+rep.Analysed+rep.Unsure != rep.Actions {
			t.Errorf("%d actions: %+v", backtesttest.Count(sessions), rep)
		}
		rep.Revision = "a revision that is the same when the library changes"
		doc, err := json.MarshalIndent(rep, "", "  ")
		must(t, err)
		doc = append(doc, '\n')
		if first == nil {
			first = doc
			golden(t, "report.json", doc)
			var text bytes.Buffer
			must(t, rep.WriteText(&text))
			golden(t, "report.txt", text.Bytes())
		}
		if !bytes.Equal(doc, first) {
			t.Errorf("%d workers: another report", workers)
		}
	}
}

// The same policy changes nothing, and is sure of it.
func TestSamePolicy(t *testing.T) {
	dir, _ := madeStore(t, backtesttest.Made{Seed: 2, Sessions: 10, Actions: 50})
	rep, err := Run(t.Context(), Options{Dir: dir, Engine: folder(t, "old")})
	must(t, err)
	if rep.Unchanged != rep.Actions-rep.Change(NewlyBlocked).Count || rep.Unsure != 0 || rep.OtherRule != 0 {
		t.Errorf("%+v", rep)
	}
	for _, c := range rep.Changes {
		// Visitors, whom no rule is about, have sessions in this history: that alone is new.
		for _, r := range c.Rules {
			if r != (RuleCount{policy.BuiltinConnect, policy.RuleDefault, Count{Count: c.Count}}) || c.Kind != NewlyBlocked {
				t.Errorf("%s: %+v", c.Kind, r)
			}
		}
	}
}

// What a backtest says is what the policy would have said with the statements at hand, or it says that it is not sure.
func TestAgainstTruth(t *testing.T) {
	for seed := range uint64(4) {
		m := backtesttest.Made{Seed: 10 + seed, Sessions: 20, Actions: 30, Start: start, Every: time.Minute}
		now := folder(t, "new")
		dir, _ := madeStore(t, m)
		truth := m.History(now)
		rep, err := Run(t.Context(), Options{Dir: dir, Engine: now, Examples: maxExamples})
		must(t, err)
		got, perhaps := map[string]policy.Verdict{}, map[string]policy.Verdict{}
		for _, c := range rep.Changes[:3] {
			for _, e := range c.Examples {
				if e.Perhaps {
					perhaps[key(e.Session, e.Ordinal)] = e.New.Verdict
				} else if e.Ordinal > 0 {
					got[key(e.Session, e.Ordinal)] = e.New.Verdict
				}
			}
		}
		want := map[string]policy.Verdict{}
		for i, s := range m.History(folder(t, "old")) {
			for k, a := range s.Actions {
				if d := truth[i].Actions[k].Decision; d.Verdict != a.Decision.Verdict {
					want[key(s.Open.Session.ID, uint64(k+1))] = d.Verdict
				}
			}
		}
		for k, v := range want {
			if p, ok := perhaps[k]; ok && p == v {
				delete(want, k)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("seed %d: %d changes (%d perhaps), truly %d", seed, len(got), len(perhaps), len(want))
		}
	}
}

func key(session string, n uint64) string { return fmt.Sprint(session, "#", n) }

func TestFilters(t *testing.T) {
	dir, sessions := madeStore(t, backtesttest.Made{Seed: 3, Sessions: 30, Actions: 5})
	count := func(o Options) (n, s int64) {
		o.Dir, o.Engine = dir, folder(t, "new")
		rep, err := Run(t.Context(), o)
		must(t, err)
		return rep.Actions, rep.Sessions
	}
	wantOf := func(keep func(backtesttest.Session) bool) int64 {
		return int64(backtesttest.Count(slices.DeleteFunc(slices.Clone(sessions), func(s backtesttest.Session) bool { return !keep(s) })))
	}
	if n, _ := count(Options{Target: "shop-1"}); n == 0 || n != wantOf(func(s backtesttest.Session) bool { return s.Open.Target.Name == "shop-1" }) {
		t.Errorf("target: %d", n)
	}
	if n, _ := count(Options{Identity: "user:alice@example.com"}); n == 0 || n != wantOf(func(s backtesttest.Session) bool {
		return s.Open.Identity.Acts("user:alice@example.com")
	}) {
		t.Errorf("identity: %d", n)
	}
	// By the actions' own time: the session of 09:10 has its opening before, and actions 3 to 5 at and after 09:10:03.
	since := start.Add(10*time.Minute + 3*time.Second)
	if n, s := count(Options{Since: since, Until: start.Add(12 * time.Minute)}); n != 3+6 || s != 2 {
		t.Errorf("time: %d actions of %d sessions", n, s)
	}
	for _, workers := range []int{1, 5} {
		rep, err := Run(t.Context(), Options{Dir: dir, Engine: folder(t, "new"), Limit: 4, Workers: workers})
		must(t, err)
		if rep.Sessions != 4 || !rep.First.Equal(start.Add(26*time.Minute)) {
			t.Errorf("limit, %d workers: %d sessions since %s", workers, rep.Sessions, rep.First)
		}
	}
	if n, s := count(Options{Target: "shop-0", Limit: 3}); s != 3 || n != 18 {
		t.Errorf("limit of a target: %d of %d", n, s)
	}
	if n, _ := count(Options{Target: "elsewhere", Limit: 3}); n != 0 {
		t.Errorf("nothing: %d", n)
	}
}

// A live session is judged as far as it is; nothing in the folder changes, and a folder that may not be written to does.
func TestReadOnlyAndLive(t *testing.T) {
	m := backtesttest.Made{Seed: 4, Sessions: 3, Actions: 4, Start: start, Every: time.Minute}
	sessions := m.History(folder(t, "old"))
	sessions[1].Live = true
	made, dir := t.TempDir(), t.TempDir()
	must(t, backtesttest.Write(t.Context(), made, sessions...))
	must(t, backtesttest.Copy(made, dir))
	live, err := filepath.Glob(filepath.Join(dir, "sessions/*/*/*/*"+liveExt))
	must(t, err)
	if len(live) != 1 {
		t.Fatal(live)
	}
	run := func() *Report {
		t.Helper()
		rep, err := Run(t.Context(), Options{Dir: dir, Engine: folder(t, "new")})
		must(t, err)
		return rep
	}
	before := tree(t, dir)
	if rep := run(); rep.Actions != 15 || !rep.Whole() {
		t.Errorf("%+v", rep)
	}
	if !maps.Equal(before, tree(t, dir)) {
		t.Error("the folder was changed")
	}
	// The tail of a frame that is being written does not matter.
	b, err := os.ReadFile(live[0])
	must(t, err)
	must(t, os.WriteFile(live[0], b[:len(b)-3], 0o600))
	if rep := run(); rep.Actions != 15 || !rep.Whole() {
		t.Errorf("torn: %+v", rep)
	}
	must(t, os.WriteFile(live[0], b[:record.StreamHeaderLen], 0o600))
	if rep := run(); rep.Actions != 10 || !rep.Whole() {
		t.Errorf("empty: %+v", rep)
	}
	// Sealed between the listing and the reading.
	must(t, os.Remove(live[0]))
	other, err := filepath.Glob(filepath.Join(dir, "sessions/*/*/*/*"+record.SealedExt))
	must(t, err)
	name, err := filepath.Rel(dir, strings.TrimSuffix(other[0], record.SealedExt)+liveExt)
	must(t, err)
	r, err := audit.NewArchive(blob.NewFiles(dir), nil).Open(t.Context(), name)
	must(t, err)
	must(t, r.Close())
}

func tree(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		all[path] = info.ModTime().String() + info.Mode().String()
		return err
	}))
	return all
}

// A record that was changed is named, and what is good before the change counts.
func TestUnreadable(t *testing.T) {
	dir, _ := madeStore(t, backtesttest.Made{Seed: 5, Sessions: 3, Actions: 4})
	files, err := filepath.Glob(filepath.Join(dir, "sessions/*/*/*/*"+record.SealedExt))
	must(t, err)
	b, err := os.ReadFile(files[1])
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(files[1], b, 0o600))
	rep, err := Run(t.Context(), Options{Dir: dir, Engine: folder(t, "new")})
	must(t, err)
	if rep.Whole() || rep.Unreadable != 1 || rep.Actions < 10 || !strings.HasSuffix(files[1], rep.Unreadables[0].File) || rep.Unreadables[0].Error == "" {
		t.Errorf("%+v", rep)
	}
	var text bytes.Buffer
	must(t, rep.WriteText(&text))
	if !strings.Contains(text.String(), rep.Unreadables[0].File) {
		t.Error("the text does not name it")
	}
	if _, err := Run(t.Context(), Options{Dir: t.TempDir(), Engine: folder(t, "new")}); err == nil {
		t.Error("a folder without a store")
	}
	if _, err := Run(t.Context(), Options{Dir: dir}); err == nil {
		t.Error("no policy")
	}
}

// endless is a record that ends the run in its middle.
type endless struct {
	Record
	frames int
	end    context.CancelFunc
}

func (e *endless) Next() (record.Frame, error) {
	if e.frames++; e.frames == 6 {
		e.end()
	}
	return e.Record.Next()
}

func TestPartial(t *testing.T) {
	dir, _ := madeStore(t, backtesttest.Made{Seed: 6, Sessions: 20, Actions: 50})
	for _, limit := range []int{0, 15} {
		ctx, cancel := context.WithCancel(t.Context())
		rep, err := Run(ctx, Options{Dir: dir, Engine: folder(t, "new"), Workers: 3, Limit: limit, Open: func(name string) (Record, error) {
			r, err := audit.NewArchive(blob.NewFiles(dir), nil).Open(ctx, name)
			return &endless{Record: r, end: cancel}, err
		}})
		must(t, err)
		if !rep.Partial || rep.Whole() || rep.Actions == 0 || rep.Actions > 60 || rep.PolicyErrors > 0 {
			t.Errorf("%+v", rep)
		}
		var text bytes.Buffer
		must(t, rep.WriteText(&text))
		if !strings.HasPrefix(text.String(), "PARTIAL") {
			t.Error(text.String())
		}
	}
}

func TestTextIsSafe(t *testing.T) {
	open := backtesttest.Open("ses_00000000000000000000000001", start, "shop", []string{"analysts"}, "user:x")
	st := backtesttest.Select("SELECT id FROM orders -- \x1b[2J\u202e", "orders", []string{"id"}, nil)
	dir := t.TempDir()
	must(t, backtesttest.Write(t.Context(), dir, backtesttest.Session{Open: open, Actions: []record.ActionPayload{backtesttest.Judge(folder(t, "old"), open, st)}}))
	rep, err := Run(t.Context(), Options{Dir: dir, Engine: engineOf(t, policy.Source{})})
	must(t, err)
	var text bytes.Buffer
	must(t, rep.WriteText(&text))
	if s := text.String(); !strings.Contains(s, "SELECT id FROM orders") || strings.ContainsAny(s, "\x1b\u202e") {
		t.Errorf("%q", s)
	}
	must(t, rep.WriteText(io.Discard))
}

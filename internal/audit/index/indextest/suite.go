// Package indextest is the conformance suite of index.Index.
package indextest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/record"
)

// Run checks an index. open gives an empty one, which it closes; again opens the same anew, while it is open.
func Run(t *testing.T, open func(t *testing.T) (x index.Index, again func() index.Index)) {
	for name, f := range map[string]func(*testing.T, index.Index, func() index.Index){
		"Sessions": sessions, "BeforeItsFirstFrame": beforeFirstFrame, "SameStart": sameStart, "Actions": actions, "ManyActions": manyActions,
		"Search": search, "Text": text, "Pages": pages, "Times": times, "Queries": queries, "AllOrNothing": allOrNothing,
		"OddText": oddText, "Leaves": leaves, "Rebuild": rebuild, "Watch": watch, "Together": together, "Delete": remove, "Reopened": reopened,
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

func action(n int, text string) *index.Action {
	return &index.Action{Session: Sample(1).ID, Ordinal: uint64(n), Time: epoch, Kind: "sql", Verdict: "allow", Rule: "read", Reason: "why",
		Verbs: []string{"select"}, Tables: []string{"public.t"}, Fingerprint: "f", Text: text, DecidedBy: []string{}}
}

func actions(t *testing.T, x index.Index, again func() index.Index) {
	id := Sample(1).ID
	res := &record.Result{Status: "ok", Code: "c", Message: "m", Tag: "SELECT 1", Rows: 1, Bytes: 2, Masked: 3, Duration: time.Second}
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}, Actions: []index.Change{
		{Session: id, Ordinal: 1, Base: action(1, "one"), Result: res},
		{Session: id, Ordinal: 2, Base: action(2, "two")},
		{Session: id, Ordinal: 3, Base: action(3, "three"), Held: &index.Held{ID: "hld_1", State: "pending"}},
		{Session: id, Ordinal: 4, Held: &index.Held{ID: "hld_2", State: "denied", By: []string{"user:dana"}, Created: epoch, Kind: "sql", Rule: "r", Reason: "w"}},
	}})
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}, Actions: []index.Change{
		{Session: id, Ordinal: 2, Result: res},
		{Session: id, Ordinal: 3, Held: &index.Held{ID: "hld_1", State: "used", By: []string{"user:dana", "user:eve"}}, Result: res},
		{Session: id, Ordinal: 1, Base: action(1, "one"), Result: res},
		{Session: id, Ordinal: 9, Result: res}, // of an action that nothing described
	}})
	with := func(a index.Action) index.Action {
		a.Status, a.Code, a.Message, a.Tag, a.Rows, a.Bytes, a.Masked, a.Duration = "ok", "c", "m", "SELECT 1", 1, 2, 3, time.Second
		return a
	}
	three := with(*action(3, "three"))
	three.Hold, three.HoldState, three.DecidedBy = "hld_1", "used", []string{"user:dana", "user:eve"}
	four := index.Action{Session: id, Ordinal: 4, Time: epoch, Kind: "sql", Verdict: "hold", Rule: "r", Reason: "w", Verbs: []string{}, Tables: []string{},
		Hold: "hld_2", HoldState: "denied", DecidedBy: []string{"user:dana"}}
	want := []index.Action{with(*action(1, "one")), with(*action(2, "two")), three, four}
	got, err := again().Actions(t.Context(), id, 0, 0)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, want, err)
	}
	if got, err := x.Actions(t.Context(), id, 2, 1); err != nil || len(got) != 1 || got[0].Ordinal != 3 {
		t.Error(got, err)
	}
	for _, c := range []struct {
		id    string
		after uint64
	}{{"none", 0}, {id, 1<<64 - 1}} {
		if got, err := x.Actions(t.Context(), c.id, c.after, 0); err != nil || got == nil || len(got) != 0 {
			t.Error(got, err)
		}
	}
}

func manyActions(t *testing.T, x index.Index, _ func() index.Index) {
	const n = 737
	b := index.Batch{Sessions: []index.Session{Sample(1)}}
	for i := 1; i <= n; i++ {
		b.Actions = append(b.Actions, index.Change{Session: Sample(1).ID, Ordinal: uint64(i), Base: action(i, fmt.Sprint("text ", i))})
		b.Facts = append(b.Facts, index.Fact{Session: Sample(1).ID, Kind: index.Table, Value: fmt.Sprint("t", i/2)})
	}
	write(t, x, b)
	write(t, x, b)
	got, err := x.Actions(t.Context(), Sample(1).ID, 0, 1000)
	must(t, err)
	for i, a := range got {
		if a.Ordinal != uint64(i+1) || a.Text != fmt.Sprint("text ", i+1) {
			t.Fatalf("%d: %+v", i, a)
		}
	}
	if len(got) != n || len(ids(t, x, index.Query{Table: "t300"})) != 1 {
		t.Error(len(got))
	}
}

// corpus is six sessions that differ in everything.
func corpus(t *testing.T, x index.Index) {
	t.Helper()
	var b index.Batch
	for n := range 6 {
		s := Sample(n)
		s.Live = n == 4
		b.Sessions = append(b.Sessions, s)
		for _, f := range []index.Fact{{Kind: index.Target, Value: s.Target}, {Kind: index.Actor, Value: "agent:ci"}, {Kind: index.Actor, Value: fmt.Sprintf("user:%d", n%3)},
			{Kind: index.Verb, Value: "select"}, {Kind: index.Table, Value: "t"}, {Kind: index.Table, Value: "public.t"}, {Kind: index.Verdict, Value: "allow"}} {
			f.Session = s.ID
			b.Facts = append(b.Facts, f)
		}
	}
	more := func(n int, kind, value string) {
		b.Facts = append(b.Facts, index.Fact{Session: Sample(n).ID, Kind: kind, Value: value})
	}
	more(2, index.Verb, "delete")
	more(5, index.Verb, "delete")
	more(2, index.Column, "public.t.ssn")
	more(2, index.Column, "ssn")
	more(3, index.Approver, "user:dana")
	more(3, index.Verdict, "hold")
	more(5, index.Verdict, "block")
	more(1, index.Actor, "agent:CI")
	for n, text := range []string{
		"SELECT customer_id FROM public.orders WHERE note = 'refund due'", "select * from refunds", "DELETE FROM customers WHERE id=42 -- Müller's wish",
		"due to a refund: select 1", "select 'naïve_token_x9' where a<b", "SELECT\tcustomer\nFROM id",
	} {
		b.Texts = append(b.Texts, index.Text{Session: Sample(n).ID, Text: text}, index.Text{Session: Sample(n).ID, Slot: 1, Text: "commit work"})
	}
	write(t, x, b)
	write(t, x, b)
}

func search(t *testing.T, x index.Index, again func() index.Index) {
	corpus(t, x)
	x = again()
	yes, no := true, false
	for name, c := range map[string]struct {
		q    index.Query
		want []int
	}{
		"all": {index.Query{}, []int{5, 4, 3, 2, 1, 0}}, "human": {index.Query{Identity: "user:1"}, []int{4, 1}}, "agent": {index.Query{Identity: "agent:ci"}, []int{5, 4, 3, 2, 1, 0}},
		"case matters": {index.Query{Identity: "agent:CI"}, []int{1}}, "nobody": {index.Query{Identity: "user"}, nil}, "target": {index.Query{Target: "target1"}, []int{5, 3, 1}},
		"verb": {index.Query{Verb: "DELETE"}, []int{5, 2}}, "table": {index.Query{Table: "Public.T", Identity: "user:2"}, []int{5, 2}}, "column": {index.Query{Column: "SSN"}, []int{2}},
		"long column": {index.Query{Column: "public.t.ssn"}, []int{2}}, "approver": {index.Query{Approver: "user:dana"}, []int{3}}, "block": {index.Query{Verdict: "block"}, []int{5}},
		"hold": {index.Query{Verdict: "hold"}, []int{3}}, "allow": {index.Query{Verdict: "allow", Limit: 2}, []int{5, 4}}, "live": {index.Query{Live: &yes}, []int{4}},
		"dead": {index.Query{Live: &no}, []int{5, 3, 2, 1, 0}}, "session": {index.Query{Session: "ses_002"}, []int{2}}, "session and": {index.Query{Session: "ses_002", Verb: "delete"}, []int{2}},
		"session and not": {index.Query{Session: "ses_003", Verb: "delete"}, nil}, "no session": {index.Query{Session: "ses_"}, nil},
		"many": {index.Query{Identity: "user:2", Target: "target1", Verb: "delete", Verdict: "block", Table: "t", Text: "customer", Live: &no, Since: epoch}, []int{5}},
		"none": {index.Query{Identity: "user:2", Approver: "user:dana"}, nil}, "quote": {index.Query{Identity: "' OR 1=1 --"}, nil},
		"live and": {index.Query{Live: &yes, Verb: "select"}, []int{4}}, "live and not": {index.Query{Live: &yes, Verb: "delete"}, nil},
	} {
		if got := ids(t, x, c.q); !slices.Equal(got, names(c.want...)) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func text(t *testing.T, x index.Index, _ func() index.Index) {
	corpus(t, x)
	for q, want := range map[string][]int{
		"refund": {3, 0}, "REFUND due": {3, 0}, `"refund due"`: {0}, `"due refund"`: nil, "refund*": {3, 1, 0}, "customer_id": {0}, "customer": {5, 0}, "customer*": {5, 2, 0},
		"müller's": {2}, "Muller": nil, "naïve_token_x9": {4}, "42": {2}, "4": nil, "commit": {5, 4, 3, 2, 1, 0}, "commit refund": nil, "select work": nil,
		`public.orders "note refund"`: {0}, `"from customers"*`: {2}, "NOT": nil, "or": nil, "a<b": {4}, "x9*": {4}, "nothing": nil, `unfinished "quote`: nil,
	} {
		if got := ids(t, x, index.Query{Text: q}); !slices.Equal(got, names(want...)) {
			t.Errorf("%s: %v, want %v", q, got, want)
		}
	}
	if got := ids(t, x, index.Query{Text: "commit", Verb: "delete", Limit: 1}); !slices.Equal(got, names(5)) {
		t.Error(got)
	}
}

func pages(t *testing.T, x index.Index, _ func() index.Index) {
	var b index.Batch
	for n := range 100 {
		s := Sample(n)
		b.Sessions = append(b.Sessions, s)
		b.Facts = append(b.Facts, index.Fact{Session: s.ID, Kind: index.Verb, Value: []string{"select", "delete"}[n%2]})
		b.Texts = append(b.Texts, index.Text{Session: s.ID, Text: "select it"}, index.Text{Session: s.ID, Slot: 1, Text: "select it again"})
	}
	write(t, x, b)
	late := 500
	for name, c := range map[string]struct {
		q    index.Query
		want int
	}{"all": {index.Query{}, 100}, "fact": {index.Query{Verb: "delete"}, 50}, "text": {index.Query{Text: "select"}, 100}, "both": {index.Query{Text: "again", Verb: "select"}, 50},
		"since": {index.Query{Since: Sample(30).Started, Verb: "select"}, 35}, "exact": {index.Query{Until: Sample(70).Started}, 70}} {
		var got []string
		for q := c.q; ; {
			q.Limit = 7
			p, err := x.List(t.Context(), q)
			must(t, err)
			if len(p.Sessions) > 7 || (p.Next != "" && len(p.Sessions) != 7) {
				t.Fatalf("%s: %d sessions", name, len(p.Sessions))
			}
			for _, s := range p.Sessions {
				if s.ID < "ses_100" {
					got = append(got, s.ID)
				}
			}
			// What comes meanwhile is newer, and on no later page.
			late++
			write(t, x, index.Batch{Sessions: []index.Session{Sample(late)}})
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) || len(slices.Compact(got)) != c.want {
			t.Errorf("%s: %d sessions", name, len(got))
		}
	}
}

func times(t *testing.T, x index.Index, _ func() index.Index) {
	var b index.Batch
	for n := range 5 { // closer to each other than the steps of any key
		s := Sample(n)
		s.Started = epoch.Add(time.Duration(n))
		b.Sessions = append(b.Sessions, s)
	}
	write(t, x, b)
	if got := ids(t, x, index.Query{Since: epoch.Add(1), Until: epoch.Add(4)}); !slices.Equal(slices.Sorted(slices.Values(got)), names(1, 2, 3)) {
		t.Error(got)
	}
	if got := ids(t, x, index.Query{Until: epoch}); len(got) != 0 {
		t.Error(got)
	}
	old := Sample(9)
	old.Started = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	write(t, x, index.Batch{Sessions: []index.Session{old}})
	if got := ids(t, x, index.Query{Until: epoch}); !slices.Equal(got, names(9)) {
		t.Error(got)
	}
}

func queries(t *testing.T, x index.Index, _ func() index.Index) {
	for _, q := range []index.Query{{Verdict: "maybe"}, {Cursor: "x"}, {Cursor: "1:2"}, {Cursor: "-1:n"}, {Cursor: "99999999999999999999:n"}, {Text: "()"}, {Text: "*"},
		{Text: strings.Repeat("w ", 100)}, {Text: `"` + strings.Repeat("w ", 100) + `"`}} {
		_, err := x.List(t.Context(), q)
		var wrong *index.QueryError
		if !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if p, err := x.List(t.Context(), index.Query{}); err != nil || p.Sessions == nil || p.Next != "" {
		t.Error(p, err)
	}
}

func allOrNothing(t *testing.T, x index.Index, _ func() index.Index) {
	err := x.Write(t.Context(), &index.Batch{Sessions: []index.Session{Sample(1)}, Facts: []index.Fact{{Session: "ses_unknown", Kind: index.Verb, Value: "v"}}})
	if err == nil {
		t.Error("a fact of no session")
	}
	if got := ids(t, x, index.Query{}); len(got) != 0 {
		t.Error(got)
	}
	write(t, x, index.Batch{Sessions: []index.Session{Sample(1)}, Facts: []index.Fact{{Session: Sample(1).ID, Kind: index.Verb, Value: "v"}}})
	if got := ids(t, x, index.Query{Verb: "v"}); len(got) != 1 {
		t.Error(got)
	}
}

// oddText is what agents send and some stores refuse.
func oddText(t *testing.T, x index.Index, _ func() index.Index) {
	s := Sample(1)
	odd := index.Bounded("zero\x00 bad\xff utf \U0001F600 "+strings.Repeat("é", 5000), 4096)
	s.Application = odd
	value := index.Bounded(strings.Repeat("long\x00", 5000), index.MaxValue)
	write(t, x, index.Batch{Sessions: []index.Session{s}, Actions: []index.Change{{Session: s.ID, Ordinal: 1, Base: action(1, odd)}},
		Facts: []index.Fact{{Session: s.ID, Kind: index.Actor, Value: value}}, Texts: []index.Text{
			{Session: s.ID, Slot: index.MaxSlots - 1, Text: strings.Repeat("word", 100_000)}, {Session: s.ID, Slot: 1, Text: "\x00\xff'\\:*&|!<>()"},
			{Session: s.ID, Slot: 1, Text: "said twice"}, {Session: s.ID, Slot: 2, Text: "1e5 0x10 a.b/c?d=e&f http://x.y/z -5 'q'\\' <b>bold</b> foo@bar.com 00123"}}})
	if got, err := x.Get(t.Context(), s.ID); err != nil || got.Application != odd {
		t.Error(err)
	}
	for _, q := range []index.Query{{Identity: strings.Repeat("long\x00", 5000)}, {Text: "1e5"}, {Text: "0x10"}, {Text: "a.b/c"}, {Text: "y/z"}, {Text: "bold"}, {Text: "foo@bar.com"}, {Text: "bar"},
		{Text: "00123"}, {Text: strings.Repeat("word", 100_000)}} {
		if got := ids(t, x, q); len(got) != 1 {
			t.Errorf("%.40q %.40q: %v", q.Identity, q.Text, got)
		}
	}
}

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
	case <-time.After(5 * time.Second):
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

package indextest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/record"
)

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

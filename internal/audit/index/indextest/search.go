package indextest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

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

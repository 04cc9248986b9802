package report

import (
	"math"
	"strings"
	"testing"
)

func TestSeries(t *testing.T) {
	s := Series{5, 1, 3}
	if got := s.Median(); got != 3 {
		t.Errorf("median %v", got)
	}
	if got := (Series{4, 1, 3, 2}).Median(); got != 2.5 {
		t.Errorf("median of an even number %v", got)
	}
	if low, high := s.Range(); low != 1 || high != 5 {
		t.Errorf("range %v to %v", low, high)
	}
	if got := s.Over(Series{10, 2, 6}); got[0] != .5 || got[1] != .5 || got[2] != .5 {
		t.Errorf("ratios %v", got)
	}
	if got := s.Minus(Series{1}); len(got) != 1 || got[0] != 4 {
		t.Errorf("differences %v", got)
	}
	if !math.IsNaN(Series(nil).Median()) || !math.IsNaN(Series(nil).Max()) {
		t.Error("nothing has a median")
	}
}

func TestTable(t *testing.T) {
	measure := func(c Compare, goal float64, atLeast bool, own ...float64) *Measure {
		m := &Measure{Name: "m", Unit: "ms", Base: "base", Compare: c, Goal: goal, AtLeast: atLeast}
		for _, v := range own {
			m.Add("base", 10)
			m.Add("own", v)
		}
		return m
	}
	for _, c := range []struct {
		name string
		m    *Measure
		want string
	}{
		{"a ratio that is reached", measure(Ratio, 0.7, true, 8, 9, 7), "| m, ms | 10.0 | 8.00 | 0.80× base (0.70–0.90) | ≥ 0.70× | reached |"},
		{"a ratio that is missed", measure(Ratio, 1.8, false, 20), "| 2.00× base (2.00–2.00) | ≤ 1.80× | missed by 0.20× |"},
		{"a difference", measure(Minus, 5, false, 14, 17, 18), "| 7.00 ms more than base (4.00–8.00) | ≤ 5.00 ms | missed by 2.00 ms |"},
		{"the worst", measure(Worst, 64, false, 14, 17), "| 10.0 | 17.0 | 17.0 ms (14.0–17.0) | ≤ 64.0 ms | reached |"},
		{"no goal", measure(None, 0, false, 20), "| 2.00× base (2.00–2.00) |  |  |"},
		{"nothing", measure(Ratio, 1, false), "| – | – | – | ≤ 1.00× | not measured |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Table([]*Measure{c.m}, []string{"base", "own"}, "own"); !strings.Contains(got, c.want) {
				t.Errorf("got\n%s\nwant a line with\n%s", got, c.want)
			}
		})
	}
}

func TestSplice(t *testing.T) {
	got, err := splice([]byte("before\n"+Begin+"\nold\n"+End+"\nafter\n"), "new")
	if want := "before\n" + Begin + "\nnew\n" + End + "\nafter\n"; err != nil || string(got) != want {
		t.Errorf("got %q: %v", got, err)
	}
	for _, page := range []string{"", Begin, End + Begin} {
		if _, err := splice([]byte(page), "new"); err == nil {
			t.Errorf("%q has no marks and was taken", page)
		}
	}
}

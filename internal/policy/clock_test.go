package policy

import (
	"context"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
)

func TestAt(t *testing.T) {
	const src = `package dragoman.policy

verdicts contains {"verdict": "allow", "rule": "by-day"} if {
	clock := time.clock(time.now_ns())
	clock[0] >= 9
	clock[0] < 17
}
`
	e, err := Compile(context.Background(), Bundle{Modules: map[string]string{"hours.rego": src}})
	if err != nil {
		t.Fatal(err)
	}
	if !e.Volatile() || engineOf(t, Source{}).Volatile() || (*Engine)(nil).Volatile() {
		t.Error("who reads the clock is not known")
	}
	s := e.Session(who("user:x"), shop, Session{})
	a := action.Action{Kind: action.KindHTTP, Verbs: []string{"get"}}
	for hour, want := range map[int]Verdict{8: Block, 9: Allow, 16: Allow, 17: Block} {
		ctx := At(context.Background(), time.Date(2026, 1, 2, hour, 30, 0, 0, time.UTC))
		if d := s.Judge(ctx, &a, nil); d.Verdict != want {
			t.Errorf("at %d: %+v", hour, d)
		}
	}
}

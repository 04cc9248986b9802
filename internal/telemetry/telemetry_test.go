package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

var start = time.Unix(1_790_000_000, 0)

func frame(seq uint64, kind record.Kind, action uint64, v any) record.Frame {
	b, _ := json.Marshal(v)
	return record.Frame{Seq: seq, Kind: kind, Action: action, Payload: b, Time: start.Add(time.Duration(seq) * time.Second)}
}

func session(target string) []record.Frame {
	act := func(v policy.Verdict) record.ActionPayload {
		return record.ActionPayload{Decision: policy.Decision{Verdict: v}}
	}
	return []record.Frame{
		frame(0, record.KindOpen, 0, record.Open{Target: policy.Target{Name: target}}),
		frame(1, record.KindAction, 1, act(policy.Allow)),
		frame(2, record.KindResult, 1, record.Result{Status: "ok", Rows: 7, Bytes: 100, Masked: 3, Duration: time.Millisecond}),
		frame(3, record.KindAction, 2, act(policy.Block)),
		frame(4, record.KindResult, 2, record.Result{Status: "blocked"}),
		frame(5, record.KindAction, 3, act(policy.Hold)),
		frame(6, record.KindHold, 3, hold.Hold{State: hold.Denied, Created: start, Ended: start.Add(5 * time.Second)}),
		frame(7, record.KindResult, 3, record.Result{Status: "denied"}),
		frame(8, record.KindClose, 0, record.Close{Reason: "admin: words\n of theirs"}),
	}
}

func text(t *testing.T, m *Telemetry) string {
	t.Helper()
	b, err := m.Text(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func newTelemetry(state func(context.Context) ([]Sample, error)) *Telemetry {
	return New(Options{Targets: []string{"shop"}, State: state, Now: func() time.Time { return start.Add(time.Minute) }})
}

func none(context.Context) ([]Sample, error) { return nil, nil }

func TestCounts(t *testing.T) {
	m := newTelemetry(none)
	m.started = start
	for _, target := range []string{"shop", "shop", "nobody's"} {
		for _, f := range session(target) {
			m.Frame("ses_"+target, f)
		}
	}
	for range 2 { // what comes again is not counted again
		for _, f := range session("shop")[:4] {
			m.Frame("ses_x", f)
		}
	}
	got := text(t, m)
	for _, want := range []string{
		`dragoman_sessions_opened_total{target="shop"} 3`, `dragoman_sessions_opened_total{target="other"} 1`,
		`dragoman_sessions_closed_total{reason="admin",target="shop"} 2`, `dragoman_sessions_closed_total{reason="lost",target="shop"} 0`,
		`dragoman_actions_total{result="ok",target="shop",verdict="allow"} 3`, `dragoman_actions_total{result="blocked",target="shop",verdict="block"} 2`,
		`dragoman_actions_total{result="denied",target="shop",verdict="hold"} 2`,
		`dragoman_holds_total{state="denied",target="shop"} 2`, `dragoman_hold_wait_seconds_sum{state="denied",target="shop"} 10`,
		`dragoman_rows_total{target="shop"} 21`, `dragoman_masked_values_total{target="shop"} 9`, `dragoman_delivered_bytes_total{target="shop"} 300`,
		`dragoman_action_duration_seconds_count{target="shop"} 3`, `dragoman_frames_total{target="shop"} 22`, `dragoman_ship_lag_seconds_count 31`, "\ngo_goroutines ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestBefore: what happened before this process is not counted as if it happened now.
func TestBefore(t *testing.T) {
	m := newTelemetry(none)
	m.started = start.Add(6 * time.Second)
	for _, f := range session("shop") {
		m.Frame("ses_1", f)
	}
	got := text(t, m)
	for _, want := range []string{`dragoman_sessions_opened_total{target="shop"} 0`, `dragoman_actions_total{result="denied",target="shop",verdict="hold"} 1`,
		`dragoman_actions_total{result="ok",target="shop",verdict="allow"} 0`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestState: what could be read is shown, the fault is counted, and odd labels are escaped.
func TestState(t *testing.T) {
	m := newTelemetry(func(context.Context) ([]Sample, error) {
		return []Sample{{Name: "a", Help: "A.", Value: 1, Labels: map[string]string{"x": "q\"\n\xff", "b": "c"}}, {Name: "n_total", Help: "N.", Counter: true, Value: 3}}, errors.New("half of it")
	})
	got := text(t, m)
	for _, want := range []string{`a{b="c",x="q\"\n?"} 1`, "# TYPE n_total counter", "n_total 3", "dragoman_metrics_errors_total 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

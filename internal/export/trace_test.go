package export

import (
	"encoding/json"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// TestTrace: a note names the span that an action is the child of; what is no id is left out.
func TestTrace(t *testing.T) {
	a := NewAssembler("ses_1")
	add := func(seq uint64, kind record.Kind, action uint64, v any) []Event {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return a.Add(record.Frame{Seq: seq, Kind: kind, Action: action, Time: time.Unix(int64(seq), 0), Payload: b})
	}
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	add(0, record.KindOpen, 0, record.Open{})
	for i, n := range []record.Note{record.TraceNote(trace, span), record.TraceNote(trace+"0", span), record.TraceNote(trace, "0000000000000000"),
		record.TraceNote("4BF92F3577B34DA6A3CE929D0E0E4736", span), {What: "cancel", Detail: map[string]any{"trace": trace, "span": span}}} {
		add(1, record.KindAction, uint64(i+1), record.ActionPayload{})
		add(2, record.KindNote, uint64(i+1), n)
		got := add(3, record.KindResult, uint64(i+1), record.Result{Status: "ok"})
		if len(got) != 1 || (got[0].Trace != nil) != (i == 0) {
			t.Errorf("%d: %v", i, got)
		}
		if i == 0 && *got[0].Trace != (Trace{trace, span}) {
			t.Error(got[0].Trace)
		}
	}
	if add(4, record.KindNote, 99, record.TraceNote(trace, span)); len(a.began) != 0 {
		t.Error("a note begins no action")
	}
}

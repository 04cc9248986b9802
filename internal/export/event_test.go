package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

type list []record.Frame

func (l *list) Next() (record.Frame, error) {
	if len(*l) == 0 {
		return record.Frame{}, io.EOF
	}
	f := (*l)[0]
	*l = (*l)[1:]
	return f, nil
}

func frame(seq uint64, kind record.Kind, action uint64, v any) record.Frame {
	b, _ := json.Marshal(v)
	return record.Frame{Seq: seq, Kind: kind, Action: action, Payload: b, Time: time.Unix(int64(seq), 0)}
}

func history() *list {
	allow, block := policy.Decision{Verdict: policy.Allow, Rule: "a"}, policy.Decision{Rule: "b"}
	return &list{
		frame(0, record.KindOpen, 0, record.Open{Node: "n"}),
		frame(1, record.KindAction, 1, record.ActionPayload{Decision: allow}),
		frame(2, record.KindAction, 2, record.ActionPayload{Decision: policy.Decision{Verdict: policy.Hold}}),
		frame(3, record.KindHold, 2, hold.Hold{State: hold.Pending}),
		frame(4, record.KindResponse, 1, "rows"),
		frame(5, record.KindResult, 1, record.Result{Status: "ok", Rows: 2}),
		frame(6, record.KindHold, 2, hold.Hold{State: hold.Used}),
		frame(7, record.KindResult, 2, record.Result{Status: "ok"}),
		frame(8, record.KindAction, 3, record.ActionPayload{Decision: block}),
		frame(9, record.KindAction, 4, record.ActionPayload{Decision: allow}),
		{Seq: 10, Kind: record.KindAction, Action: 5, Payload: []byte("{")},
		frame(11, record.KindClose, 0, record.Close{Reason: "client"}),
	}
}

func TestEvents(t *testing.T) {
	var got []string
	err := Events("ses_1", history(), func(e Event) error {
		status := "-"
		if e.Result != nil {
			status = e.Result.Status
		}
		if e.Open.Node != "n" {
			t.Error("an event without its session", e)
		}
		got = append(got, fmt.Sprintf("%s %s %d %v %s", e.ID, e.Kind, e.Ordinal, e.Allowed(), status))
		return nil
	})
	want := `ses_1/0 session.opened 0 false -
ses_1/5 action.ended 1 true ok
ses_1/7 action.ended 2 true ok
ses_1/11.3 action.ended 3 false -
ses_1/11.4 action.ended 4 true -
ses_1/11 session.closed 0 false -`
	if s := strings.Join(got, "\n"); err != nil || s != want {
		t.Errorf("%v\n%s", err, s)
	}
}

// TestBound: a session whose actions never end does not fill the memory.
func TestBound(t *testing.T) {
	a := NewAssembler("ses_1")
	n := 0
	for i := range uint64(maxOpen + 5) {
		n += len(a.Add(frame(i, record.KindAction, i+1, record.ActionPayload{})))
	}
	if n != 5 || len(a.began) != maxOpen {
		t.Error(n, len(a.began))
	}
}

func TestFor(t *testing.T) {
	for format, want := range map[string]string{JSONLines: "", OCSF: "", Asciicast: "this session has no terminal: its protocol is postgres", HAR: "no HTTP exchanges", "pdf": "there is no format"} {
		err := For(format, "postgres")
		if (want == "") != (err == nil) || err != nil && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want)) {
			t.Error(format, err)
		}
	}
}

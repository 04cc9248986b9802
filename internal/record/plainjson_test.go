package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func TestResultIsTheSameJSON(t *testing.T) {
	for _, r := range []Result{
		{}, {Status: "ok", Tag: "SELECT 1", Rows: 1, Bytes: 123, Duration: 5 * time.Microsecond},
		{Status: "error", Code: "42601", Message: "syntax error at or near <x> & y"},
		{Status: "error", Code: "42601", Message: `a "quoted" name`}, {Status: "error", Message: "ü\n"},
		{Status: "ok", Rows: -1, Duration: -1}, {Status: "ok", Rows: 1 << 62, Masked: 7}, {Status: "ok", Masked: 2, MaskedColumns: "2,5"},
	} {
		want := jsonOf(t, r)
		if got, plain := r.appendPlain(nil); plain && !bytes.Equal(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
		var got Result
		if err := DecodeResult(want, &got); err != nil || got != r {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
}

func payloadFor(text string, params ...action.Param) ActionPayload {
	return ActionPayload{Action: action.Action{Kind: action.KindSQL, Verbs: []string{"select"},
		Reads:  []action.Object{{Schema: "public", Name: "t", Columns: []string{"a"}, Resolved: true}},
		Writes: []action.Object{}, Functions: []action.Function{}, Features: map[string]any{"where": true},
		Text: text, Params: append([]action.Param{}, params...), Fingerprint: "f"},
		Decision: policy.Decision{Verdict: policy.Allow, Rule: "r", Reason: "because", Revision: "1"}}
}

func TestActionDecoder(t *testing.T) {
	var d ActionDecoder
	for i := range 3 {
		for _, p := range []ActionPayload{
			payloadFor(fmt.Sprintf("select %d", i)), payloadFor("select $1", action.Param{Value: fmt.Sprint(i)}),
			payloadFor("select $1, $2", action.Param{Value: "a"}, action.Param{Null: true}),
			payloadFor(`select ',"text":"x","params":[],"fingerprint":"'`), payloadFor("select 'ü\n'"), payloadFor(""),
		} {
			payload := jsonOf(t, p)
			var got ActionPayload
			if err := d.Decode(payload, &got); err != nil || !reflect.DeepEqual(got, p) {
				t.Fatalf("%s: %+v, %v", payload, got, err)
			}
		}
	}
	if len(d.known) != 1 || d.misses != 0 {
		t.Errorf("%d are known, %d misses", len(d.known), d.misses)
	}
}

// FuzzPlainJSON: the short ways give what encoding/json gives.
func FuzzPlainJSON(f *testing.F) {
	f.Add([]byte(`{"status":"ok","tag":"SELECT 1","rows":1,"bytes":2,"masked":0,"duration":3}`))
	f.Add(jsonOf(f, payloadFor("select 1", action.Param{Value: "1"})))
	f.Add([]byte(`{"action":{"features":{"a":1,"text":"x","params":[],"fingerprint":"y"}},"decision":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want Result
		if err, werr := DecodeResult(b, &got), json.Unmarshal(b, &want); (err == nil) != (werr == nil) || err == nil && got != want {
			t.Fatalf("result %+v, %v; want %+v, %v", got, err, want, werr)
		}
		var d ActionDecoder
		seed := jsonOf(t, payloadFor("select 1", action.Param{Value: "1"}))
		for _, p := range [][]byte{seed, b, b} {
			var got, want ActionPayload
			if err, werr := d.Decode(p, &got), json.Unmarshal(p, &want); (err == nil) != (werr == nil) || err == nil && !bytes.Equal(jsonOf(t, got), jsonOf(t, want)) {
				t.Fatalf("action %+v, %v; want %+v, %v", got, err, want, werr)
			}
		}
	})
}

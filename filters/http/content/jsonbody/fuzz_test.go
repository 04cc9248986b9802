package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

var fuzzPlans = func() (plans []*mask.Plan) {
	for _, specs := range [][]mask.Spec{
		nil,
		{{Name: "p", JSON: []string{"$.a", "$..email", "$.list[1:3].x", "$['k'][*]"}}},
		{{Name: "n", JSON: []string{"$..*"}, Way: mask.WayNull}},
		{{Name: "h", JSON: []string{"$.a"}, Way: mask.WayPartial}, {Name: "d", Detectors: []string{"email", "card", "phone", "api_key"}}},
		{{Name: "s", JSON: []string{"$.notes"}, Detectors: []string{"email"}}},
	} {
		p, err := mask.Compile(specs, nil)
		if err != nil {
			panic(err)
		}
		plans = append(plans, p)
	}
	return plans
}()

// run masks in pieces of the given size; 0 is all at once.
func run(m *Masker, doc []byte, piece int) ([]byte, error) {
	if piece <= 0 {
		piece = len(doc) + 1
	}
	var out []byte
	for len(doc) > 0 {
		n := min(piece, len(doc))
		var err error
		if out, err = m.Write(out, bytes.Clone(doc[:n])); err != nil {
			return out, err
		}
		doc = doc[n:]
	}
	return m.Close(out)
}

func FuzzMasker(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, ` 1 `, `"a"`, `{"a":1,"a":2}`, `{"email":"x@example.com","list":[1,{"x":2},3]}`,
		`{"\u0065mail":"a\u0040b.example"}`, `{"k":{"q":[1,2,{"z":true}]}}`, "\xEF\xBB\xBF{}", `{"notes":["a@b.cd",{"t":"c@d.ef"}]}`,
		`[1e5,-0,0.10,1E+2]`, `{"a":"` + "\U0001F600" + `\ud83d\ude00"}`, `truefalse`, `{"phone":5551234567,"card":4111111111111111}`,
	} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, doc []byte, piece int) {
		for _, plan := range fuzzPlans {
			whole, err1 := run(New(plan, Limits{}), doc, 0)
			parts, err2 := run(New(plan, Limits{}), doc, piece%7)
			if (err1 == nil) != (err2 == nil) || err1 == nil && !bytes.Equal(whole, parts) {
				t.Fatalf("in pieces it differs:\n%q %v\n%q %v", whole, err1, parts, err2)
			}
			checkMasked(t, plan, doc, whole, err1)
		}
		lines, err1 := run(NewLines(fuzzPlans[3], Limits{}), doc, 0)
		parts, err2 := run(NewLines(fuzzPlans[3], Limits{}), doc, 1)
		if (err1 == nil) != (err2 == nil) || err1 == nil && !bytes.Equal(lines, parts) {
			t.Fatalf("lines in pieces differ: %q %v, %q %v", lines, err1, parts, err2)
		}
	})
}

// checkMasked compares with encoding/json: the same texts are JSON, and the result is.
func checkMasked(t *testing.T, plan *mask.Plan, doc, out []byte, err error) {
	body := bytes.TrimPrefix(doc, []byte("\xEF\xBB\xBF"))
	var refused *refusal.Error
	if errors.As(err, &refused) && refused.Code == refusal.TooLarge {
		return
	}
	if len(bytes.Trim(body, " \t\r\n")) > 0 && utf8.Valid(body) && json.Valid(body) != (err == nil) {
		t.Fatalf("json.Valid(%q) is %v, we say %v", body, json.Valid(body), err)
	}
	if err != nil {
		return
	}
	if plan.Content() {
		if out = bytes.TrimPrefix(out, []byte("\xEF\xBB\xBF")); len(bytes.Trim(out, " \t\r\n")) > 0 && !json.Valid(out) {
			t.Fatalf("%q became %q, which is not JSON", doc, out)
		}
	} else if !bytes.Equal(doc, out) {
		t.Fatalf("%q became %q without a mask", doc, out)
	}
}

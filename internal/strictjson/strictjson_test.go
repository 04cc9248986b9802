package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"plain", `{"a":1,"b":[{"a":2}],"c":null}`, nil},
		{"duplicate", `{"a":1,"a":2}`, ErrDuplicate},
		{"duplicate by case", `{"sub":1,"Sub":2}`, ErrDuplicate},
		{"duplicate by escape", `{"sub":1,"\u0073ub":2}`, ErrDuplicate},
		{"duplicate below", `{"x":[{"a":1,"a":2}]}`, ErrDuplicate},
		{"nul", `{"a":"x\u0000y"}`, ErrEncoding},
		{"nul key", `{"a\u0000":"x"}`, ErrEncoding},
		{"utf8", "{\"a\":\"\xff\"}", ErrEncoding},
		{"deep", deep, ErrDepth},
		{"trailing", `{} {}`, ErrTrailing},
	} {
		if err := Check([]byte(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	for _, bad := range []string{"", "{", `{"a"}`, `{"a":1,}`, `nul`} {
		if Check([]byte(bad)) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestDecodeUnknownField(t *testing.T) {
	var v struct{ A int }
	if err := Decode([]byte(`{"A":1,"B":2}`), &v); err == nil {
		t.Fatal("unknown field passed")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":"c"}]}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if Check(data) == nil && !json.Valid(data) {
			t.Fatalf("passed but is not JSON: %q", data)
		}
	})
}

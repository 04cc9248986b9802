package jwt

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestTime(t *testing.T) {
	for in, want := range map[string]int64{`1`: 1e9, `1.5`: 15e8, `1e3`: 1e12} {
		if got, err := (Claims{"t": []byte(in)}).Time("t"); err != nil || got.UnixNano() != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, in := range []string{`"1"`, `null`, `true`, `-1`, `0`, `1e20`, `[1]`, `{}`} {
		if got, err := (Claims{"t": []byte(in)}).Time("t"); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
	if got, err := (Claims{}).Time("t"); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
}

func TestWindow(t *testing.T) {
	now := time.Unix(1000, 0)
	for in, want := range map[string]error{
		`{"exp":1001}`:             nil,
		`{"exp":1000}`:             ErrExpired,
		`{"exp":1001,"nbf":1010}`:  nil,
		`{"exp":2000,"nbf":1011}`:  ErrNotYet,
		`{"exp":2000,"iat":1011}`:  ErrNotYet,
		`{"exp":1001,"iat":1000}`:  nil,
		`{"exp":1001,"nbf":999.5}`: nil,
	} {
		c, err := ParseClaims([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Window(now, 10*time.Second); !errors.Is(err, want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestChain(t *testing.T) {
	c, _ := ParseClaims([]byte(`{"sub":"p","act":{"sub":"now","iss":"x","act":{"sub":"before"}}}`))
	if got, err := c.Chain(3); err != nil || !reflect.DeepEqual(got, []string{"p", "before", "now"}) {
		t.Fatal(got, err)
	}
	if got, err := c.Chain(2); err == nil {
		t.Fatal(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(enc(`{"alg":"ES256","kid":"a"}`) + "." + enc(`{"iss":"a","sub":"b","act":{"sub":"c"},"aud":["x"],"exp":1}`) + ".AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := Parse(raw)
		if err != nil {
			return
		}
		if strings.EqualFold(tok.Alg, "none") || strings.Count(raw, ".") != 2 || tok.Claims == nil {
			t.Fatalf("%q", raw)
		}
		for name := range tok.Claims {
			tok.Claims.Text(name)
			tok.Claims.Texts(name)
			tok.Claims.Object(name)
			tok.Claims.Time(name)
		}
		if chain, err := tok.Claims.Chain(8); err == nil && len(chain) > 8 {
			t.Fatal(chain)
		}
		tok.Claims.Window(time.Unix(1e9, 0), time.Second)
	})
}

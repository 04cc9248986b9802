// Package contenttest has the corpus of bodies that try to get values past
// masks: testdata/attacks.yaml of the package above. The decoders are tested with it, and the gateway as a whole.
package contenttest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf16"

	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/internal/mask"
)

// Attack is one body of the corpus; the file says what its fields mean.
type Attack struct {
	Class, Name, Plan, Type, Encoding, Body, Base64, UTF16, Refused, End string
	Status                                                               int
	Twice                                                                bool
	Pack, Secrets, Keep                                                  []string
	Repeat, Tail                                                         []any
}

// Canary is in most bodies, and never comes out.
const Canary = "mallory@secret.example"

// Plans are the masks by the names that the corpus uses.
func Plans() map[string][]mask.Spec {
	return map[string][]mask.Spec{
		"json":   {{Name: "j", JSON: []string{"$..email", "$..ssn", "$.card", "$.users[*].token"}}},
		"text":   {{Name: "t", Detectors: []string{"email", "card", "us_ssn", "iban", "jwt", "api_key"}}},
		"both":   {{Name: "j", JSON: []string{"$..email", "$..ssn"}, Opaque: mask.OpaqueAllow}, {Name: "t", Detectors: []string{"email", "card"}}},
		"fields": {{Name: "f", Fields: []string{"email", "ssn", "pass*"}}},
	}
}

// Load reads the corpus.
func Load(path string) (out []Attack, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	return out, d.Decode(&out)
}

// Bytes is the body as it comes.
func (a *Attack) Bytes() ([]byte, error) {
	body := []byte(repeated(a.Repeat) + a.Body + repeated(a.Tail) + a.End)
	switch {
	case a.Base64 != "":
		b, err := base64.StdEncoding.DecodeString(a.Base64)
		if err != nil {
			return nil, err
		}
		body = b
	case a.UTF16 != "":
		order := map[string]binary.AppendByteOrder{"le": binary.LittleEndian, "be": binary.BigEndian}[a.UTF16]
		body = nil
		for _, u := range utf16.Encode([]rune("\uFEFF" + a.Body)) {
			body = order.AppendUint16(body, u)
		}
	}
	if len(a.Pack) == 0 {
		return body, nil
	}
	var packed []byte
	for range map[bool]int{true: 2, false: 1}[a.Twice] {
		e, err := coding.NewEncoder(a.Pack)
		if err != nil {
			return nil, err
		}
		if packed, err = e.Write(packed, body); err != nil {
			return nil, err
		}
		if packed, err = e.Close(packed); err != nil {
			return nil, err
		}
	}
	return packed, nil
}

func repeated(p []any) string {
	if len(p) != 2 {
		return ""
	}
	text, _ := p[0].(string)
	n, _ := p[1].(int)
	return strings.Repeat(text, n)
}

// Coding is the Content-Encoding that comes with it.
func (a *Attack) Coding() string {
	if a.Encoding != "" {
		return a.Encoding
	}
	return strings.Join(a.Pack, ", ")
}

// Leaks says what of the secrets is in what came out, whatever a reader undoes; "" is nothing.
// gone is the first of what must be kept and is not there.
func (a *Attack) Leaks(out []byte) (leak, gone string) {
	got := a.undone(out)
	for _, s := range append(slices.Clone(a.Secrets), Canary) {
		if strings.Contains(got, s) {
			return fmt.Sprintf("%q in %.300s", s, got), ""
		}
	}
	for _, s := range a.Keep {
		if !strings.Contains(got, s) {
			return "", s
		}
	}
	return "", ""
}

// undone is what a reader could make of what came out, each form on a line.
func (a *Attack) undone(out []byte) string {
	if names, err := coding.Parse(a.Coding()); err == nil && len(names) > 0 {
		var plain []byte
		d := coding.NewDecoder(names, 0)
		sink := func(b []byte) error { plain = append(plain, b...); return nil }
		if err := d.Write(out, sink); err == nil {
			_ = d.Close(sink)
		}
		d.Abort()
		out = plain
	}
	all := []string{string(out), html.UnescapeString(string(out)), string(mask.AppendUnescaped(nil, out))}
	if s, err := url.QueryUnescape(string(out)); err == nil {
		all = append(all, s)
	}
	return strings.Join(all, "\n")
}

// Package strictjson decodes JSON that comes from somebody else, where two
// readers must never see two meanings: no duplicate keys (nor keys that differ
// in case only, which encoding/json would merge), no unknown fields, no
// trailing data, valid UTF-8, no U+0000, bounded depth and size. It knows no
// document.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds nesting of objects and arrays. Ours are at most about ten
// deep (a token with the deepest delegation); others get some room.
const MaxDepth = 32

// Errors that Check and Decode wrap.
var (
	ErrDuplicate = errors.New("duplicate key")
	ErrDepth     = errors.New("nested too deep")
	ErrEncoding  = errors.New("not valid UTF-8, or has a NUL character")
	ErrTrailing  = errors.New("data after the document")
)

// Check reports whether data is one JSON document of unambiguous meaning.
func Check(data []byte) error {
	if !utf8.Valid(data) {
		return ErrEncoding
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := value(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return ErrTrailing
	}
	return nil
}

// Decode checks data and decodes it into v; fields that v lacks are an error.
func Decode(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// value consumes one value at the given depth.
func value(dec *json.Decoder, depth int) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch t := tok.(type) {
	case string:
		return text(t)
	case json.Delim:
		if depth >= MaxDepth {
			return ErrDepth
		}
		if t == '{' {
			return object(dec, depth+1)
		}
		return array(dec, depth+1)
	}
	return nil
}

func object(dec *json.Decoder, depth int) error {
	seen := map[string]struct{}{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		if err := text(key); err != nil {
			return err
		}
		folded := strings.ToLower(key)
		if _, dup := seen[folded]; dup {
			return fmt.Errorf("%w %.64q", ErrDuplicate, key)
		}
		seen[folded] = struct{}{}
		if err := value(dec, depth); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func array(dec *json.Decoder, depth int) error {
	for dec.More() {
		if err := value(dec, depth); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// text refuses what encoding/json lets pass: \u0000.
func text(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return ErrEncoding
	}
	return nil
}

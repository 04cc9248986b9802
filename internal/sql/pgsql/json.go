package pgsql

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// jsonReader reads a document whose layout is known, in one pass. After the
// first error everything reads as nothing. encoding/json takes ten times as
// long for the catalog, which is read again after each DDL.
type jsonReader struct {
	doc []byte
	pos int
	err error
}

func (r *jsonReader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %s", r.pos, why)
	}
	r.pos = len(r.doc)
}

// peek skips blanks, commas and colons between values and returns the next byte, or 0.
func (r *jsonReader) peek() byte {
	for r.pos < len(r.doc) {
		switch c := r.doc[r.pos]; c {
		case ' ', '\n', '\t', '\r', ',', ':':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) expect(c byte) bool {
	if r.peek() != c {
		r.fail("want " + string(rune(c)))
		return false
	}
	r.pos++
	return true
}

func (r *jsonReader) open()  { r.expect('[') }
func (r *jsonReader) close() { r.expect(']') }

func (r *jsonReader) end() {
	if r.err == nil && r.peek() != 0 {
		r.fail("text after the document")
	}
}

func (r *jsonReader) word(w string) bool {
	if r.peek() == w[0] && len(r.doc)-r.pos >= len(w) && string(r.doc[r.pos:r.pos+len(w)]) == w {
		r.pos += len(w)
		return true
	}
	return false
}

// null reports whether the next value is null, and passes it.
func (r *jsonReader) null() bool { return r.word("null") }

func (r *jsonReader) boolean() bool {
	if r.word("true") {
		return true
	}
	if !r.word("false") {
		r.fail("want a boolean")
	}
	return false
}

func (r *jsonReader) number() int64 {
	r.peek()
	start := r.pos
	for r.pos < len(r.doc) && (r.doc[r.pos] == '-' || isDigit(r.doc[r.pos])) {
		r.pos++
	}
	n, err := strconv.ParseInt(string(r.doc[start:r.pos]), 10, 64)
	if err != nil {
		r.fail("want a number")
	}
	return n
}

func (r *jsonReader) oid() uint32 {
	n := r.number()
	if n < 0 || n > 1<<32-1 {
		r.fail("not an OID")
	}
	return uint32(n)
}

// text is a string; null is "".
func (r *jsonReader) text() string {
	if r.null() {
		return ""
	}
	if !r.expect('"') {
		return ""
	}
	start := r.pos
	plain := true
	for r.pos < len(r.doc) {
		switch r.doc[r.pos] {
		case '\\':
			plain = false
			r.pos += 2
			continue
		case '"':
			r.pos++
			if plain {
				return string(r.doc[start : r.pos-1])
			}
			var s string
			if err := json.Unmarshal(r.doc[start-1:r.pos], &s); err != nil {
				r.fail(err.Error())
			}
			return s
		}
		r.pos++
	}
	r.fail("unterminated string")
	return ""
}

func (r *jsonReader) letter() byte {
	s := r.text()
	if len(s) != 1 {
		r.fail("want one letter")
		return 0
	}
	return s[0]
}

// array calls read for each element; null is an empty array.
func (r *jsonReader) array(read func()) {
	if r.null() || !r.expect('[') {
		return
	}
	for r.err == nil && r.peek() != ']' {
		before := r.pos
		read()
		if r.pos == before {
			r.fail("unexpected value")
		}
	}
	r.close()
}

func (r *jsonReader) strings() (out []string) {
	r.array(func() { out = append(out, r.text()) })
	return out
}

func (r *jsonReader) object(read func(key string)) {
	if !r.expect('{') {
		return
	}
	for r.err == nil && r.peek() == '"' {
		read(r.text())
	}
	r.expect('}')
}

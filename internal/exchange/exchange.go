// Package exchange is the form in which the record keeps HTTP: heads, pieces of bodies and
// trailers, each in a frame of its own, so that exchanges that run at the same time can be told apart by
// their action's number and read without a parser of HTTP. The filter writes it, replay and export read it.
//
// A payload of record.KindRequest or record.KindResponse is one byte that says what it is, and then
//
//	'H'  a head: a start line and header fields, as in HTTP/1.1, with CRLF line ends ("GET /a HTTP/1.1")
//	'B'  a piece of the body, as sent or delivered
//	'T'  trailers: header fields with CRLF line ends
//	'C'  the body was longer than what is recorded: JSON of Cut
//
// Values that are secret (a target's credential, what the agent proved itself with) stand as Hidden.
package exchange

import (
	"encoding/json"
	"errors"
	"strings"
)

// Kinds of payload; values are part of the record's format.
const (
	KindHead     = 'H'
	KindBody     = 'B'
	KindTrailers = 'T'
	KindCut      = 'C'
)

// Hidden stands for a value that the record does not keep.
const Hidden = "[hidden]"

// Cut is what the record has of a body that is longer than what is kept.
type Cut struct {
	Bytes    int64  `json:"bytes"`    // of the whole body
	Recorded int64  `json:"recorded"` // of it in the record, from its beginning
	SHA256   string `json:"sha256"`   // hex, of the whole body
}

// Field is a header field.
type Field struct{ Name, Value string }

// Part is one decoded payload. Body shares memory with it.
type Part struct {
	Kind   byte
	Start  string // of a head
	Fields []Field
	Body   []byte
	Cut    *Cut
}

// ErrForm says that a payload is not of this form.
var ErrForm = errors.New("exchange: not an HTTP frame")

// AppendHead appends a head's payload.
func AppendHead(dst []byte, start string, each func(yield func(name, value string))) []byte {
	dst = append(dst, KindHead)
	dst = append(append(dst, start...), "\r\n"...)
	return appendFields(dst, each)
}

// AppendTrailers appends the payload of trailers.
func AppendTrailers(dst []byte, each func(yield func(name, value string))) []byte {
	return appendFields(append(dst, KindTrailers), each)
}

func appendFields(dst []byte, each func(yield func(name, value string))) []byte {
	each(func(name, value string) {
		dst = append(append(dst, name...), ": "...)
		dst = append(append(dst, value...), "\r\n"...)
	})
	return dst
}

// AppendBody appends the payload of a piece of a body.
func AppendBody(dst, piece []byte) []byte { return append(append(dst, KindBody), piece...) }

// AppendCut appends the payload of a Cut.
func AppendCut(dst []byte, c Cut) []byte {
	b, _ := json.Marshal(c) // cannot fail
	return append(append(dst, KindCut), b...)
}

// Decode reads a payload.
func Decode(b []byte) (Part, error) {
	if len(b) == 0 {
		return Part{}, ErrForm
	}
	p := Part{Kind: b[0]}
	rest := b[1:]
	switch p.Kind {
	case KindBody:
		p.Body = rest
		return p, nil
	case KindCut:
		p.Cut = &Cut{}
		if json.Unmarshal(rest, p.Cut) != nil {
			return Part{}, ErrForm
		}
		return p, nil
	case KindHead:
		start, fields, ok := strings.Cut(string(rest), "\r\n")
		if !ok {
			return Part{}, ErrForm
		}
		p.Start = start
		return p.fields(fields)
	case KindTrailers:
		return p.fields(string(rest))
	}
	return Part{}, ErrForm
}

func (p Part) fields(text string) (Part, error) {
	for text != "" {
		line, rest, ok := strings.Cut(text, "\r\n")
		name, value, colon := strings.Cut(line, ": ")
		if !ok || !colon {
			return Part{}, ErrForm
		}
		p.Fields = append(p.Fields, Field{name, value})
		text = rest
	}
	return p, nil
}

// Get is the first value of a field, "" without one.
func (p *Part) Get(name string) string {
	for i := range p.Fields {
		if strings.EqualFold(p.Fields[i].Name, name) {
			return p.Fields[i].Value
		}
	}
	return ""
}

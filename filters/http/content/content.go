// Package content masks bodies as they stream through: it decodes content
// codings, finds out what a body is, masks it, and encodes it again. What cannot
// be decoded, or is not what it says it is, is refused, unless every mask in
// force says that it may pass (mask.Spec.Opaque).
//
// It does no I/O; memory is bounded by Limits however large a body is, and what
// comes out does not depend on the pieces in which the body came. It knows no policy:
// a mask.Plan is all that it is told.
//
// The decoders are in the folders below: coding, jsonbody, form, text, sse,
// multipart, grpc, and websocket for connections that were upgraded.
package content

import (
	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/filters/http/content/websocket"
	"dragoman.dev/dragoman/internal/mask"
)

// Error is how a body is refused.
type Error = refusal.Error

// Head is what is known of a body before it comes. Where a header came
// several times, its values are joined with ", ".
type Head struct {
	// Method is the request's, Status the response's (0 for a request).
	Method string
	Status int
	// Type and Encoding are Content-Type and Content-Encoding, GRPCEncoding is grpc-encoding.
	Type, Encoding, GRPCEncoding string
}

// Limits bound what one body may take. Zero means the default.
type Limits struct {
	// Value is how many bytes a value may have that a mask must look at; longer
	// ones are hidden whole. Default 1 MiB.
	Value int
	// Depth is how deep JSON may be nested. Default 256.
	Depth int
	// Event is how many bytes an event of an event stream may have, Message one
	// gRPC or WebSocket message. Default 4 MiB each.
	Event, Message int
	// Ratio is how many times larger than itself a compressed body may become,
	// once it is over 4 MiB. Default 256.
	Ratio int
	// Nested is how deep multipart bodies may be nested. Default 3.
	Nested int
}

func (l Limits) json() jsonbody.Limits { return jsonbody.Limits{Depth: l.Depth, Value: l.Value} }

func (l Limits) nested() int {
	if l.Nested <= 0 {
		return 3
	}
	return l.Nested
}

// Stream masks one body. It belongs to one user at a time, and must be closed or aborted.
type Stream struct {
	body   layer.Masker    // nil: the body passes as it is
	dec    *coding.Decoder // nil: it is not coded
	enc    *coding.Encoder
	events bool // what is whole is given out at once, also by the encoder
	plain  []byte
	some   bool // something came
	err    error
}

// New makes a Stream, or says by *Error why the body cannot pass whatever is in it.
// A nil plan, or one that asks nothing of content, lets everything pass.
func New(h Head, plan *mask.Plan, lim Limits) (*Stream, error) {
	if !plan.Content() {
		return &Stream{}, nil
	}
	t := parseType(h.Type)
	if h.Status == 206 || t.name == "multipart/byteranges" {
		return nil, refusal.New(refusal.Partial, "a part of a body cannot be masked; ask for the whole, without Range")
	}
	names, err := coding.Parse(h.Encoding)
	if err != nil {
		if plan.PassOpaque() {
			return &Stream{}, nil
		}
		return nil, err
	}
	c := chooser{plan: plan, lim: lim, grpc: h.GRPCEncoding}
	s := &Stream{events: t.kind == kindEvents || t.kind == kindLines || t.kind == kindJSON || t.kind == kindGRPC}
	if s.body, err = c.masker(t, lim.nested()); err != nil || s.body == nil || len(names) == 0 {
		return s, err
	}
	s.dec = coding.NewDecoder(names, lim.Ratio)
	s.enc, err = coding.NewEncoder(names)
	return s, err
}

// NewWebSocket masks what a target sends on a connection that was upgraded. Write gives out whole
// messages; an *Error is for a close frame (websocket.CloseFrame) and the end of the connection.
func NewWebSocket(plan *mask.Plan, lim Limits) *Stream {
	if !plan.Content() {
		return &Stream{}
	}
	return &Stream{body: websocket.NewMasker(plan, lim.Message, nil)}
}

// Changes reports whether the body may come out other than it went in. Then its
// length, its digests and its entity tag do not hold any more; header.Response sees to these.
func (s *Stream) Changes() bool { return s.body != nil }

// Write takes the next piece of the body, which is not kept, and appends to dst what can be
// given out. An *Error ends the body: what was given out before is masked, and nothing more may follow.
func (s *Stream) Write(dst, piece []byte) ([]byte, error) {
	switch {
	case s.err != nil:
		return dst, s.err
	case s.body == nil:
		return append(dst, piece...), nil
	case len(piece) == 0:
		return dst, nil
	}
	s.some = true
	if s.dec == nil {
		out, err := s.body.Write(dst, piece)
		return out, s.keep(err)
	}
	before := len(dst)
	err := s.dec.Write(piece, func(plain []byte) error { return s.coded(&dst, plain) })
	if err == nil && s.events && len(dst) == before {
		dst, err = s.enc.Flush(dst)
	}
	return dst, s.keep(err)
}

// coded masks plain bytes and encodes them again.
func (s *Stream) coded(dst *[]byte, plain []byte) (err error) {
	if s.plain, err = s.body.Write(s.plain[:0], plain); err == nil {
		*dst, err = s.enc.Write(*dst, s.plain)
	}
	return err
}

// keep remembers an error, and gives up what cannot go on.
func (s *Stream) keep(err error) error {
	if err != nil {
		s.err = err
		if s.dec != nil {
			s.dec.Abort()
		}
	}
	return err
}

// Flush appends what can be given out although more may come. Call it when Write gave nothing: some decoders hold back text
// so that a value on the border of two pieces is found, and whoever follows a stream waits for its last line.
func (s *Stream) Flush(dst []byte) ([]byte, error) {
	if s.err != nil || s.body == nil || !s.some {
		return dst, s.err
	}
	f, ok := s.body.(layer.Flusher)
	if s.enc == nil {
		if !ok {
			return dst, nil
		}
		out, err := f.Flush(dst)
		return out, s.keep(err)
	}
	var err error
	if ok {
		if s.plain, err = f.Flush(s.plain[:0]); err == nil {
			dst, err = s.enc.Write(dst, s.plain)
		}
	}
	if err == nil {
		dst, err = s.enc.Flush(dst)
	}
	return dst, s.keep(err)
}

// Close ends the body and appends its rest to dst. A body that was cut off is an error.
func (s *Stream) Close(dst []byte) ([]byte, error) {
	switch {
	case s.err != nil:
		return dst, s.err
	case s.body == nil, !s.some:
		s.keep(ended())
		return dst, nil
	case s.dec == nil:
		out, err := s.body.Close(dst)
		if s.keep(err); err == nil {
			s.keep(ended())
		}
		return out, err
	}
	err := s.dec.Close(func(plain []byte) error { return s.coded(&dst, plain) })
	if err == nil {
		if s.plain, err = s.body.Close(s.plain[:0]); err == nil {
			if dst, err = s.enc.Write(dst, s.plain); err == nil {
				dst, err = s.enc.Close(dst)
			}
		}
	}
	if s.keep(err); err == nil {
		s.keep(ended())
	}
	return dst, err
}

func ended() error { return refusal.New(refusal.State, "the body has ended") }

// Abort gives up a body that will not be closed, and frees what it holds. It may be called at any time, also twice.
func (s *Stream) Abort() {
	if s != nil && s.err == nil {
		s.keep(refusal.New(refusal.State, "the body was given up"))
	}
}

// Masked is how many values have been masked so far.
func (s *Stream) Masked() int {
	if s.body == nil {
		return 0
	}
	return s.body.Masked()
}

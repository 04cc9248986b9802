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
// multipart, grpc. websocket is for connections that were upgraded, and used by itself.
package content

import (
	"strings"

	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/refusal"
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

// Stream masks one body. It belongs to one user at a time.
type Stream struct {
	plan *mask.Plan
	lim  Limits
	body layer.Masker // nil: the body passes as it is
	done bool
}

// New makes a Stream, or says by *Error why the body cannot pass whatever is in it.
// A nil plan, or one that asks nothing of content, lets everything pass.
func New(h Head, plan *mask.Plan, lim Limits) (*Stream, error) {
	s := &Stream{plan: plan, lim: lim}
	if !plan.Content() {
		return s, nil
	}
	if h.Status == 206 {
		return nil, refusal.New(refusal.Partial, "a part of a body cannot be masked; ask for the whole, without Range")
	}
	if e := strings.TrimSpace(h.Encoding); e != "" && !strings.EqualFold(e, "identity") {
		return nil, refusal.New(refusal.Coding, "the content coding is not known")
	}
	t := parseType(h.Type)
	switch {
	case t.kind == kindJSON:
		s.body = jsonbody.New(plan, lim.json())
	case t.kind == kindLines:
		s.body = jsonbody.NewLines(plan, lim.json())
	case plan.PassOpaque():
	default:
		return nil, refusal.New(refusal.Opaque, "content of this type cannot be looked into")
	}
	return s, nil
}

// Changes reports whether the body may come out other than it went in. Then its
// length, its digests and its entity tag do not hold any more; header.Response sees to these.
func (s *Stream) Changes() bool { return s.body != nil }

// Write takes the next piece of the body, which is not kept, and appends to dst what can be
// given out. An *Error ends the body: what was given out before is masked, and nothing more may follow.
func (s *Stream) Write(dst, piece []byte) ([]byte, error) {
	if s.done {
		return dst, refusal.New(refusal.State, "the body has ended")
	}
	if s.body == nil {
		return append(dst, piece...), nil
	}
	dst, err := s.body.Write(dst, piece)
	s.done = err != nil
	return dst, err
}

// Flush appends what can be given out although more may come. Call it when nothing has come for
// a while: some decoders hold back text so that a value on the border of two pieces is found.
func (s *Stream) Flush(dst []byte) ([]byte, error) {
	if f, ok := s.body.(layer.Flusher); ok && !s.done {
		return f.Flush(dst)
	}
	return dst, nil
}

// Close ends the body and appends its rest to dst. A body that was cut off is an error.
func (s *Stream) Close(dst []byte) ([]byte, error) {
	if s.done || s.body == nil {
		return dst, nil
	}
	s.done = true
	return s.body.Close(dst)
}

// Abort gives up a body that will not be closed, and frees what it holds. It may be called at any time, also twice.
func (s *Stream) Abort() { s.done = true }

// Masked is how many values have been masked so far.
func (s *Stream) Masked() int {
	if s.body == nil {
		return 0
	}
	return s.body.Masked()
}

package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// CorruptError says what is wrong with a record, and where. It wraps one of the format's errors.
type CorruptError struct {
	// Seq is the frame at which it was found: all frames before it are good.
	Seq uint64
	// Offset is where that frame begins in the stream of frames.
	Offset uint64
	// Where names the file or part, if it is not plain.
	Where string
	Err   error
}

func (e *CorruptError) Error() string {
	where := ""
	if e.Where != "" {
		where = " (" + e.Where + ")"
	}
	return fmt.Sprintf("record: frame %d at byte %d%s: %v", e.Seq, e.Offset, where, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// position is a place in a session's stream of frames.
type position struct {
	seq    uint64 // of the next frame
	offset uint64 // stream bytes before it
	time   int64  // of the frame before
	kind   Kind   // of the frame before, 0 at the start
}

// frameReader reads frames from a stream and verifies each against the chain.
type frameReader struct {
	r     io.Reader
	chain *chain
	pos   position
	buf   []byte
}

// readStep is how much of a payload is read at a time, so that a hostile
// length costs no more memory than there are bytes.
const readStep = 256 << 10

// next returns a frame and its raw bytes, both valid until the next call. It returns io.EOF
// between frames and a *CorruptError for anything that does not verify.
func (f *frameReader) next() (header, []byte, error) {
	f.buf = grow(f.buf, frameHeaderLen)
	switch n, err := io.ReadFull(f.r, f.buf); {
	case n == 0 && err == io.EOF:
		return header{}, nil, io.EOF
	case err != nil:
		return header{}, nil, f.readError(err)
	}
	h, err := decodeHeader(f.buf)
	if err != nil {
		return h, nil, f.corrupt(err)
	}
	for rest := h.length + hashLen; rest > 0; {
		n := min(rest, readStep)
		start := len(f.buf)
		f.buf = grow(f.buf, start+n)
		if _, err := io.ReadFull(f.r, f.buf[start:]); err != nil {
			return h, nil, f.readError(err)
		}
		rest -= n
	}
	if err := f.verify(h); err != nil {
		return h, nil, f.corrupt(err)
	}
	f.pos = position{seq: h.seq + 1, offset: f.pos.offset + uint64(len(f.buf)), time: h.time, kind: h.kind}
	return h, f.buf, nil
}

// verify checks the frame in buf against the chain and moves the chain over it.
func (f *frameReader) verify(h header) error {
	if f.pos.kind == KindClose {
		return fmt.Errorf("after the close frame: %w", ErrTrailing)
	}
	body := len(f.buf) - hashLen
	prev := f.chain.prev()
	if !bytes.Equal(f.chain.next(f.buf[:body]), f.buf[body:]) {
		f.chain.set(prev)
		if h.seq > f.pos.seq {
			return fmt.Errorf("frame %d follows: %w", h.seq, ErrGap)
		}
		return fmt.Errorf("does not follow from the frame before: %w", ErrChanged)
	}
	if h.seq != f.pos.seq || h.time < f.pos.time {
		return fmt.Errorf("out of order: %w", ErrChanged)
	}
	return nil
}

func (f *frameReader) corrupt(err error) error {
	return &CorruptError{Seq: f.pos.seq, Offset: f.pos.offset, Err: err}
}

func (f *frameReader) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	return f.corrupt(err)
}

// grow gives b the length n, keeping what it holds.
func grow(b []byte, n int) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	nb := make([]byte, n, max(n, 2*cap(b)))
	copy(nb, b)
	return nb
}

func payloadOf(raw []byte) []byte { return raw[frameHeaderLen : len(raw)-hashLen] }

// Stream verifies a session's frames as they arrive in pieces, from frame 0.
// It is what stands behind shipping: bytes go in, whole verified frames come out.
type Stream struct {
	session string
	chain   *chain
	pos     position
	pending []byte
}

// NewStream starts at frame 0 of a session.
func NewStream(session string) *Stream {
	return &Stream{session: session, chain: newChain(Root(session))}
}

// Session is the session's id.
func (s *Stream) Session() string { return s.session }

// Offset is how many stream bytes went in. Frames is how many whole frames came out;
// Hash is the chain hash after the last of them. Ended says that it was a Close frame.
func (s *Stream) Offset() uint64      { return s.pos.offset + uint64(len(s.pending)) }
func (s *Stream) Frames() uint64      { return s.pos.seq }
func (s *Stream) Hash() [hashLen]byte { return s.chain.prev() }
func (s *Stream) Ended() bool         { return s.pos.kind == KindClose && len(s.pending) == 0 }

// Whole is how many stream bytes are whole frames.
func (s *Stream) Whole() uint64 { return s.pos.offset }

// Write takes the next bytes and calls f for each frame that they complete.
// The frame's payload is valid during the call only. After an error the Stream must not be used.
func (s *Stream) Write(b []byte, f func(Frame) error) error {
	data := b
	if len(s.pending) > 0 {
		s.pending = append(s.pending, b...)
		data = s.pending
	}
	used := 0
	for {
		n, err := s.one(data[used:], f)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		used += n
	}
	if used < len(data) && s.pos.kind == KindClose {
		return s.corrupt(fmt.Errorf("after the close frame: %w", ErrTrailing))
	}
	if used > 0 || len(s.pending) == 0 {
		s.pending = append(s.pending[:0], data[used:]...)
	}
	if len(s.pending) == 0 && cap(s.pending) > readStep {
		s.pending = nil
	}
	return nil
}

func (s *Stream) one(data []byte, f func(Frame) error) (int, error) {
	if len(data) < frameHeaderLen {
		return 0, nil
	}
	h, err := decodeHeader(data)
	if err != nil {
		return 0, s.corrupt(err)
	}
	n := frameOverhead + h.length
	if len(data) < n {
		return 0, nil
	}
	fr := frameReader{chain: s.chain, pos: s.pos, buf: data[:n]}
	if err := fr.verify(h); err != nil {
		return 0, s.corrupt(err)
	}
	s.pos = position{seq: h.seq + 1, offset: s.pos.offset + uint64(n), time: h.time, kind: h.kind}
	return n, f(h.frame(payloadOf(data[:n])))
}

func (s *Stream) corrupt(err error) error {
	return &CorruptError{Seq: s.pos.seq, Offset: s.pos.offset, Err: err}
}

// StreamHeader is what makes a file of a stream's bytes (from frame 0) readable by OpenPath: the
// header of a segment 0.
func StreamHeader(session string) []byte {
	return segHeader{session: session, prev: Root(session)}.encode()
}

// StreamHeaderLen is the length of a StreamHeader.
const StreamHeaderLen = segHeaderLen

// Closing is the frame that ends the stream here as lost; the caller writes its
// bytes (one frame) behind the Whole ones. What was pending is dropped.
func (s *Stream) Closing(now int64, c Close) ([]byte, error) {
	s.pending = nil
	return closingFrame(s.chain, s.pos, now, c)
}

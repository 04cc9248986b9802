package coding

import (
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// Encoder redoes codings.
type Encoder struct {
	first  writer   // what plain bytes go to
	stages []writer // in the order in which they are applied
	out    sink
}

type writer interface {
	io.WriteCloser
	Flush() error
}

// sink collects what comes out.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// NewEncoder applies the codings that Parse gave, in that order, fast rather than small.
func NewEncoder(names []string) (*Encoder, error) {
	e := &Encoder{}
	var to io.Writer = &e.out
	for i := len(names) - 1; i >= 0; i-- {
		w, err := newWriter(names[i], to)
		if err != nil {
			return nil, refusal.New(refusal.Coding, "the body cannot be encoded again")
		}
		e.stages = append([]writer{w}, e.stages...)
		to, e.first = w, w
	}
	return e, nil
}

func newWriter(name string, to io.Writer) (writer, error) {
	switch name {
	case "gzip":
		return gzip.NewWriterLevel(to, gzip.BestSpeed)
	case "deflate":
		return zlib.NewWriterLevel(to, zlib.BestSpeed)
	case "br":
		return brotli.NewWriterOptions(to, brotli.WriterOptions{Quality: 2, LGWin: 18}), nil
	}
	return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
}

// Write encodes plain bytes and appends what comes out already to dst.
func (e *Encoder) Write(dst, plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return dst, nil
	}
	return e.to(dst, func() error { _, err := e.first.Write(plain); return err })
}

// Flush appends all that was written so far.
func (e *Encoder) Flush(dst []byte) ([]byte, error) {
	return e.to(dst, func() error {
		for _, w := range e.stages {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close ends the body.
func (e *Encoder) Close(dst []byte) ([]byte, error) {
	return e.to(dst, func() error {
		for _, w := range e.stages {
			if err := w.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Encoder) to(dst []byte, do func() error) ([]byte, error) {
	e.out.b = dst
	err := do()
	dst, e.out.b = e.out.b, nil
	if err != nil {
		return dst, refusal.New(refusal.Coding, "the body cannot be encoded again")
	}
	return dst, nil
}

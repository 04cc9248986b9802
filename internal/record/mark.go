package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Mark is a place between two frames of a record, with the chain's hash there. Whoever got it from a Reader can have
// another Reader of the same record go on from it: what follows is verified against the chain up to the mark, which
// the first Reader has verified. A Mark is for memory: it is worth nothing where it was kept by somebody else.
type Mark struct {
	at     position
	hash   [hashLen]byte
	last   bool
	sealed bool
	foot   Footer // of a sealed record
	place  int64
	blocks int
}

// Offset is where the mark is in the stream of frames, Frames how many are before it.
func (m *Mark) Offset() uint64 { return m.at.offset }
func (m *Mark) Frames() uint64 { return m.at.seq }

// ErrNoMark says that a record cannot be read from a mark: it is another, or of another form than it was.
var ErrNoMark = errors.New("the record has no such place")

// Mark gives the place behind the frame that Next returned last. ok is false where reading cannot begin: a sealed
// record has places between its blocks only, a spool's folder none.
func (r *Reader) Mark() (m Mark, ok bool) {
	m = Mark{at: r.fr.pos, hash: r.fr.chain.prev(), last: r.last}
	if r.err != nil || m.at.seq == 0 {
		return m, false
	}
	switch p := r.parts.(type) {
	case *onePart:
		return m, p.stream != nil
	case *sealedParts:
		rest, is := r.fr.r.(*bytes.Reader)
		m.sealed, m.foot, m.place, m.blocks = true, p.foot, p.place, p.blocks
		return m, is && rest.Len() == 0
	}
	return m, false
}

// Resume has a Reader of which nothing was read yet go on from a mark.
func (r *Reader) Resume(m Mark) error {
	if r.fr.pos.seq != 0 || r.err != nil || m.at.seq == 0 {
		return ErrNoMark
	}
	switch p := r.parts.(type) {
	case *onePart:
		if m.sealed || p.stream == nil || int64(m.at.offset) > p.stream.Size() {
			return ErrNoMark
		}
		r.fr.r = io.NewSectionReader(p.stream, int64(m.at.offset), p.stream.Size()-int64(m.at.offset))
	case *sealedParts:
		if !m.sealed || m.foot != p.foot {
			return fmt.Errorf("%w: it was written anew", ErrNoMark)
		}
		p.place, p.blocks, r.fr.r = m.place, m.blocks, nil
	default:
		return ErrNoMark
	}
	r.fr.pos, r.last = m.at, m.last
	r.fr.chain.set(m.hash)
	return nil
}

// SealedHash is the chain's hash that a sealed record says it ends with, and how many frames it says it has. ok is
// false for a record that is not sealed.
func (r *Reader) SealedHash() (hash [hashLen]byte, frames uint64, ok bool) {
	p, ok := r.parts.(*sealedParts)
	if !ok {
		return hash, 0, false
	}
	return p.foot.Hash, p.foot.Frames, true
}

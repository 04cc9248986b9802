package record

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader iterates the frames of one session and verifies each.
type Reader struct {
	session string
	fr      frameReader
	parts   parts
	last    bool // the last frame was recovered
	err     error
	partial bool // the end may lie inside a frame
	owned   []io.Closer
}

// parts are the pieces of a record, each of whole frames.
type parts interface {
	// next opens the piece that follows pos; io.EOF after the last.
	next(fr *frameReader) (io.Reader, error)
	close() error
}

// OpenPath opens a record: a sealed file, one segment file, or a session's folder of segments.
func OpenPath(path string) (*Reader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if info.IsDir() {
		return openDir(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	magic := make([]byte, len(segMagic))
	if _, err := f.ReadAt(magic, 0); err == nil && string(magic) == segMagic {
		r, err := NewSegmentReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		r.parts = &onePart{file: f}
		return r, nil
	}
	r, err := NewSealedReader(f, info.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.parts.(*sealedParts).file = f
	return r, nil
}

// NewSegmentReader reads one segment from r.
func NewSegmentReader(r io.Reader) (*Reader, error) {
	b := make([]byte, segHeaderLen)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	h, err := decodeSegHeader(b[:n])
	if err != nil {
		return nil, &CorruptError{Err: err}
	}
	return &Reader{session: h.session, parts: &onePart{}, fr: frameReader{r: r, chain: newChain(h.prev),
		pos: position{seq: h.seq, offset: h.offset}}}, nil
}

// NewStreamReader reads a bare stream of frames of a session, from frame 0.
func NewStreamReader(r io.Reader, session string) *Reader {
	return &Reader{session: session, parts: &onePart{}, fr: frameReader{r: r, chain: newChain(Root(session))}}
}

// NewSealedReader reads a sealed file of the given size. It checks header, index and footer
// first; the frames are verified as they come.
func NewSealedReader(r io.ReaderAt, size int64) (*Reader, error) {
	p, session, err := openSealed(r, size)
	if err != nil {
		return nil, &CorruptError{Err: err}
	}
	return &Reader{session: session, parts: p, fr: frameReader{chain: newChain(Root(session))}}, nil
}

// Session is the id that the record names.
func (r *Reader) Session() string { return r.session }

// Next returns the next frame, which is valid until the call after. It returns io.EOF at the
// end and a *CorruptError at anything that does not verify; that is then final.
func (r *Reader) Next() (Frame, error) {
	for r.err == nil {
		if r.fr.r != nil {
			h, raw, err := r.fr.next()
			if err == nil {
				r.last = h.flags&flagRecovered != 0
				return h.frame(payloadOf(raw)), nil
			}
			if r.partial && errors.Is(err, ErrTruncated) {
				err = io.EOF
			}
			if err != io.EOF {
				r.err = err
				break
			}
		}
		r.fr.r, r.err = r.parts.next(&r.fr)
	}
	return Frame{}, r.err
}

// Hash is the chain hash after the last frame that Next returned.
func (r *Reader) Hash() [hashLen]byte { return r.fr.chain.prev() }

// Ended says that the last frame returned was a Close.
func (r *Reader) Ended() bool { return r.fr.pos.kind == KindClose }

// Close releases files.
func (r *Reader) Close() error {
	errs := []error{r.parts.close()}
	for _, c := range r.owned {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// onePart has nothing after what the reader starts with.
type onePart struct {
	file   io.Closer
	stream *io.SectionReader // all of it, where it can be read from anywhere
}

func (p *onePart) next(*frameReader) (io.Reader, error) { return nil, io.EOF }

func (p *onePart) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// dirParts are a session's segments.
type dirParts struct {
	dir, session string
	nums         []uint32
	cur          *segFile
}

func openDir(dir string) (*Reader, error) {
	nums, err := segmentNumbers(dir)
	if err != nil {
		return nil, err
	}
	if len(nums) == 0 {
		return nil, fmt.Errorf("record: no segments in %s: %w", dir, os.ErrNotExist)
	}
	f, h, err := openSegment(dir, nums)
	if err != nil {
		return nil, err
	}
	p := &dirParts{dir: dir, session: h.session, nums: nums[1:], cur: f}
	return &Reader{session: h.session, parts: p, fr: frameReader{r: f, chain: newChain(h.prev),
		pos: position{seq: h.seq, offset: h.offset}}}, nil
}

func (p *dirParts) next(fr *frameReader) (io.Reader, error) {
	if len(p.nums) == 0 {
		return nil, io.EOF
	}
	f, h, err := openSegment(p.dir, p.nums)
	if err != nil {
		return nil, err
	}
	switch {
	case h.session != p.session:
		err = ErrSession
	case h.offset > fr.pos.offset:
		err = ErrGap
	case !fr.fits(h):
		err = ErrChanged
	}
	if err != nil {
		return nil, errors.Join(&CorruptError{Seq: fr.pos.seq, Offset: fr.pos.offset, Where: segName(p.nums[0]), Err: err}, f.Close())
	}
	err = p.cur.Close()
	p.cur, p.nums = f, p.nums[1:]
	return f, err
}

func (p *dirParts) close() error { return p.cur.Close() }

// ReadCloserAt is a file, or something like it.
type ReadCloserAt interface {
	io.ReaderAt
	io.Closer
}

// NewFileReader reads the first n stream bytes of a file that starts with a StreamHeader. n may
// lie inside a frame: that frame is left out. Closing the Reader closes the file.
func NewFileReader(f ReadCloserAt, session string, n int64) *Reader {
	stream := io.NewSectionReader(f, segHeaderLen, n)
	r := NewStreamReader(io.NewSectionReader(stream, 0, n), session)
	r.parts = &onePart{file: f, stream: stream}
	r.partial = true
	return r
}

// Own makes Close close c, too.
func (r *Reader) Own(c io.Closer) { r.owned = append(r.owned, c) }

// Offset is how many bytes of the stream were read: where the next frame begins.
func (r *Reader) Offset() uint64 { return r.fr.pos.offset }

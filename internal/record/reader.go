package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Reader iterates the frames of one session and verifies each.
type Reader struct {
	session string
	fr      frameReader
	parts   parts
	last    bool // the last frame was recovered
	err     error
	partial bool // the end may lie inside a frame
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
func (r *Reader) Close() error { return r.parts.close() }

// onePart has nothing after what the reader starts with.
type onePart struct{ file *os.File }

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

// sealedParts are the blocks of a sealed file.
type sealedParts struct {
	r      io.ReaderAt
	file   *os.File
	foot   Footer
	place  int64
	blocks int // seen
	dec    *zstd.Decoder
	zbuf   []byte
	buf    []byte
}

func openSealed(r io.ReaderAt, size int64) (*sealedParts, string, error) {
	head := make([]byte, min(size, sealHeaderLen))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, "", err
	}
	session, err := decodeSealHeader(head)
	if err != nil {
		return nil, "", err
	}
	if size < sealHeaderLen+indexHeaderLen+footLen {
		return nil, session, fmt.Errorf("no footer: %w", ErrTruncated)
	}
	b := make([]byte, footLen)
	if _, err := r.ReadAt(b, size-footLen); err != nil && err != io.EOF {
		return nil, session, err
	}
	foot, err := decodeFooter(b)
	if err != nil {
		return nil, session, err
	}
	n := size - footLen - foot.index - indexHeaderLen
	if foot.index < sealHeaderLen || n < 0 || n%indexEntryLen != 0 || n/indexEntryLen > maxBlocks {
		return nil, session, fmt.Errorf("index: %w", ErrChanged)
	}
	ih := make([]byte, indexHeaderLen)
	if _, err := r.ReadAt(ih, foot.index); err != nil {
		return nil, session, err
	}
	if string(ih[:4]) != indexMagic || int64(binary.BigEndian.Uint32(ih[4:])) != n/indexEntryLen {
		return nil, session, fmt.Errorf("index: %w", ErrChanged)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, session, err
	}
	return &sealedParts{r: r, foot: foot, place: sealHeaderLen, dec: dec}, session, nil
}

func (p *sealedParts) close() error {
	p.dec.Close()
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

func (p *sealedParts) next(fr *frameReader) (io.Reader, error) {
	corrupt := func(err error) error {
		return &CorruptError{Seq: fr.pos.seq, Offset: fr.pos.offset, Where: fmt.Sprintf("block %d", p.blocks), Err: err}
	}
	if p.place >= p.foot.index {
		if p.place != p.foot.index || fr.pos.seq != p.foot.Frames || fr.chain.prev() != p.foot.Hash || fr.pos.offset != p.foot.Bytes {
			return nil, corrupt(fmt.Errorf("footer does not match the frames: %w", ErrChanged))
		}
		return nil, io.EOF
	}
	k, err := p.header()
	if err == nil {
		err = p.decompress(k)
	}
	if err == nil && (k.seq != fr.pos.seq || k.offset != fr.pos.offset) {
		err = fmt.Errorf("block of frame %d follows: %w", k.seq, ErrGap)
	}
	if err != nil {
		return nil, corrupt(err)
	}
	p.place += int64(blockHeaderLen + k.zlen)
	p.blocks++
	return bytes.NewReader(p.buf), nil
}

func (p *sealedParts) header() (block, error) {
	b := make([]byte, blockHeaderLen)
	if p.place+blockHeaderLen > p.foot.index {
		return block{}, ErrTruncated
	}
	if _, err := p.r.ReadAt(b, p.place); err != nil {
		return block{}, err
	}
	k, err := decodeBlock(b)
	if err == nil && p.place+int64(blockHeaderLen+k.zlen) > p.foot.index {
		err = fmt.Errorf("block goes over the index: %w", ErrChanged)
	}
	return k, err
}

// decompress fills buf with the block's frames, and never more than it says.
func (p *sealedParts) decompress(k block) error {
	p.zbuf = grow(p.zbuf[:0], k.zlen)
	if _, err := p.r.ReadAt(p.zbuf, p.place+blockHeaderLen); err != nil {
		return err
	}
	// The frame's own header states its size; without a match nothing is allocated.
	var zh zstd.Header
	if err := zh.Decode(p.zbuf); err != nil || zh.HasFCS && zh.FrameContentSize != uint64(k.len) {
		return fmt.Errorf("zstd: %w", ErrChanged)
	}
	if cap(p.buf) < k.len {
		p.buf = make([]byte, 0, k.len)
	}
	out, err := p.dec.DecodeAll(p.zbuf, p.buf[:0:k.len])
	if err != nil || len(out) != k.len {
		return fmt.Errorf("zstd: %v: %w", err, ErrChanged)
	}
	p.buf = out
	return nil
}

// NewFileReader reads the first n stream bytes of a file that starts with a StreamHeader. n may
// lie inside a frame: that frame is left out. Closing the Reader closes the file.
func NewFileReader(f *os.File, session string, n int64) *Reader {
	r := NewStreamReader(io.NewSectionReader(f, segHeaderLen, n), session)
	r.parts = &onePart{file: f}
	r.partial = true
	return r
}

// Own makes Close close the file, too.
func (r *Reader) Own(f *os.File) { r.parts = &onePart{file: f} }

// Offset is how many bytes of the stream were read: where the next frame begins.
func (r *Reader) Offset() uint64 { return r.fr.pos.offset }

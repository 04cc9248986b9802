package record

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var errFinished = errors.New("record: seal: it is finished")

// Sealer writes a sealed file from a session's stream of frames, which it
// verifies on the way. It keeps one block in memory.
type Sealer struct {
	w   io.Writer
	sum hash.Hash // of all that was written
	*compressor
	stream *Stream
	place  int64
	head   block
	index  []block
	cipher *blockCipher // nil: not encrypted
	last   Frame        // without payload
	err    error
}

// compressor is what a Sealer needs of memory, some MiB. It is used again, since most sessions are short.
type compressor struct {
	enc    *zstd.Encoder
	block  []byte // frames of the current block
	zblock []byte
}

// compressors are those that nobody has.
var compressors sync.Pool

// maxKept bounds what of a compressor's memory is kept.
const maxKept = 2 * blockTarget

func newCompressor() (*compressor, error) {
	if c, ok := compressors.Get().(*compressor); ok {
		return c, nil
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	return &compressor{enc: enc}, err
}

func (c *compressor) release() {
	if cap(c.block) <= maxKept {
		c.block, c.zblock = c.block[:0], c.zblock[:0]
		compressors.Put(c)
	}
}

// NewSealer starts a sealed file of the session on w.
func NewSealer(w io.Writer, session string) (*Sealer, error) { return newSealer(w, session, nil) }

// NewEncryptingSealer starts a sealed file whose blocks are encrypted with the session's key.
func NewEncryptingSealer(w io.Writer, session string, key Key) (*Sealer, error) {
	return newSealer(w, session, &key)
}

func newSealer(w io.Writer, session string, key *Key) (*Sealer, error) {
	if !ValidSession(session) {
		return nil, fmt.Errorf("record: session id %q is not valid", session)
	}
	c, err := newCompressor()
	if err != nil {
		return nil, err
	}
	s := &Sealer{w: w, sum: sha256.New(), compressor: c, stream: NewStream(session)}
	var salt []byte
	if key != nil {
		if salt, err = newSalt(); err != nil {
			return nil, err
		}
		if s.cipher, err = newBlockCipher(*key, salt, session); err != nil {
			return nil, err
		}
	}
	return s, s.write(encodeSealHeader(session, salt))
}

func (s *Sealer) write(b []byte) error {
	n, err := s.w.Write(b)
	s.place += int64(n)
	s.sum.Write(b[:n])
	if err != nil {
		s.err = fmt.Errorf("record: seal: %w", err)
	}
	return s.err
}

// Write takes the next bytes of the stream of frames, in any pieces.
func (s *Sealer) Write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	err := s.stream.Write(b, func(f Frame) error { return s.add(f) })
	if err != nil && s.err == nil {
		s.err = err
	}
	return len(b), s.err
}

// add puts a verified frame into the current block.
func (s *Sealer) add(f Frame) error {
	if len(s.block) == 0 {
		s.head = block{seq: f.Seq, time: f.Time.UnixNano(), offset: s.stream.Whole() - uint64(frameOverhead+len(f.Payload))}
	}
	start := len(s.block)
	s.block = grow(s.block, start+frameOverhead+len(f.Payload))
	b := s.block[start:]
	headerOf(f).put(b)
	copy(b[frameHeaderLen:], f.Payload)
	hash := s.stream.Hash()
	copy(b[frameHeaderLen+len(f.Payload):], hash[:])
	s.head.count++
	s.last = f
	s.last.Payload = nil
	if len(s.block) >= blockTarget {
		return s.flush()
	}
	return nil
}

func headerOf(f Frame) header {
	h := header{length: len(f.Payload), kind: f.Kind, seq: f.Seq, time: f.Time.UnixNano(), action: f.Action}
	if f.Recovered {
		h.flags = flagRecovered
	}
	return h
}

func (s *Sealer) flush() error {
	if len(s.block) == 0 {
		return nil
	}
	if len(s.index) >= maxBlocks {
		return fmt.Errorf("record: seal: %d blocks: %w", len(s.index), ErrTooLarge)
	}
	s.zblock = s.enc.EncodeAll(s.block, s.zblock[:0])
	s.head.len, s.head.zlen, s.head.place = len(s.block), len(s.zblock), s.place
	if s.cipher != nil {
		s.head.zlen += tagLen
	}
	header := s.head.encode()
	if s.cipher != nil {
		s.zblock = s.cipher.seal(len(s.index), s.zblock, header)
	}
	s.index = append(s.index, s.head)
	s.block = s.block[:0]
	if err := s.write(header); err != nil {
		return err
	}
	return s.write(s.zblock)
}

// Finish writes the last block, the index and the footer. A stream that ends inside a
// frame is an error.
func (s *Sealer) Finish() (Footer, error) {
	if s.err == nil && s.stream.Offset() != s.stream.Whole() {
		s.err = s.stream.corrupt(ErrTruncated)
	}
	if s.err == nil {
		s.err = s.flush()
	}
	if s.err != nil {
		return Footer{}, s.err
	}
	f := Footer{Frames: s.stream.Frames(), Bytes: s.stream.Whole(), Hash: s.stream.Hash(), index: s.place,
		Ended: s.stream.Ended(), Lost: s.stream.Ended() && s.last.Recovered}
	idx := binary.BigEndian.AppendUint32([]byte(indexMagic), uint32(len(s.index)))
	for _, k := range s.index {
		idx = k.indexEntry(idx)
	}
	if err := s.write(idx); err != nil {
		return Footer{}, err
	}
	foot := f.encode()
	if err := s.write(foot[:footOffSum]); err != nil {
		return Footer{}, err
	}
	s.sum.Sum(f.FileHash[:0])
	err := s.write(f.FileHash[:])
	s.err = errors.Join(err, errFinished)
	s.release()
	s.compressor = nil
	return f, err
}

// SealFile makes the sealed file at path from a stream of frames. The file appears whole and
// on the disk, or not at all; one that is there already is replaced.
func SealFile(path, session string, frames io.Reader) (Footer, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return Footer{}, err
	}
	foot, err := sealTo(tmp, session, frames)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return Footer{}, errors.Join(err, os.Remove(tmp.Name()))
	}
	return foot, syncDir(filepath.Dir(path))
}

func sealTo(f *os.File, session string, frames io.Reader) (Footer, error) {
	s, err := NewSealer(f, session)
	if err != nil {
		return Footer{}, err
	}
	if _, err := io.CopyBuffer(onlyWriter{s}, frames, make([]byte, 256<<10)); err != nil {
		return Footer{}, err
	}
	foot, err := s.Finish()
	return foot, errors.Join(err, f.Sync())
}

// onlyWriter hides other methods from io.Copy.
type onlyWriter struct{ io.Writer }

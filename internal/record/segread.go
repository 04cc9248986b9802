package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

func segName(number uint32) string { return fmt.Sprintf("%08d.seg", number) }

// segFile is a segment opened for reading: its frames, without the header.
type segFile struct {
	*os.File
	frames io.Reader
}

func (f *segFile) Read(b []byte) (int, error) { return f.frames.Read(b) }

// openSegment opens the first of the segments and reads its header. Its frames end where the
// next segment's begin: a writer that could not take back a failed write left
// bytes behind them that do not count.
func openSegment(dir string, nums []uint32) (*segFile, segHeader, error) {
	f, err := os.Open(segPath(dir, nums[0]))
	if err != nil {
		return nil, segHeader{}, err
	}
	h, err := readSegHeader(f, nums[0])
	if err != nil {
		return nil, h, errors.Join(f.Close(), &CorruptError{Where: segName(nums[0]), Err: err})
	}
	sf := &segFile{File: f, frames: bufio.NewReaderSize(f, 64<<10)}
	if len(nums) > 1 {
		if next, err := peekSegment(dir, nums[1]); err == nil && next.session == h.session && next.offset >= h.offset {
			sf.frames = io.LimitReader(sf.frames, int64(min(next.offset-h.offset, 1<<62)))
		}
	}
	return sf, h, nil
}

func peekSegment(dir string, number uint32) (segHeader, error) {
	f, err := os.Open(segPath(dir, number))
	if err != nil {
		return segHeader{}, err
	}
	defer f.Close()
	return readSegHeader(f, number)
}

func readSegHeader(r io.Reader, number uint32) (segHeader, error) {
	b := make([]byte, segHeaderLen)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return segHeader{}, err
	}
	h, err := decodeSegHeader(b[:n])
	if err == nil && h.number != number {
		err = fmt.Errorf("segment number %d: %w", h.number, ErrGap)
	}
	return h, err
}

// fits says whether a segment goes on where the reader is.
func (f *frameReader) fits(h segHeader) bool {
	return h.seq == f.pos.seq && h.offset == f.pos.offset && h.prev == f.chain.prev()
}

package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// sealedParts are the blocks of a sealed file.
type sealedParts struct {
	r      io.ReaderAt
	file   *os.File
	foot   Footer
	place  int64
	blocks int    // seen
	salt   []byte // of an encrypted file
	cipher *blockCipher
	dec    *zstd.Decoder
	zbuf   []byte
	buf    []byte
}

func openSealed(r io.ReaderAt, size int64) (*sealedParts, string, error) {
	head := make([]byte, min(size, encryptedHeaderLen))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, "", err
	}
	h, err := decodeSealHeader(head)
	if err != nil {
		return nil, "", err
	}
	session := h.session
	if size < h.len+indexHeaderLen+footLen {
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
	if foot.index < h.len || n < 0 || n%indexEntryLen != 0 || n/indexEntryLen > maxBlocks {
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
	return &sealedParts{r: r, foot: foot, place: h.len, dec: dec, salt: h.salt}, session, nil
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
		return &CorruptError{Seq: fr.pos.seq, Offset: fr.pos.offset, Where: blockName(p.blocks), Err: err}
	}
	if p.place >= p.foot.index {
		if p.place != p.foot.index || fr.pos.seq != p.foot.Frames || fr.chain.prev() != p.foot.Hash || fr.pos.offset != p.foot.Bytes {
			return nil, corrupt(fmt.Errorf("footer does not match the frames: %w", ErrChanged))
		}
		return nil, io.EOF
	}
	if p.salt != nil && p.cipher == nil {
		return nil, ErrEncrypted
	}
	k, header, err := p.header()
	if err == nil {
		err = p.decompress(k, header)
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

func blockName(n int) string { return fmt.Sprintf("block %d", n) }

func (p *sealedParts) header() (block, []byte, error) {
	b := make([]byte, blockHeaderLen)
	if p.place+blockHeaderLen > p.foot.index {
		return block{}, nil, ErrTruncated
	}
	if _, err := p.r.ReadAt(b, p.place); err != nil {
		return block{}, nil, err
	}
	k, err := decodeBlock(b)
	if err == nil && p.place+int64(blockHeaderLen+k.zlen) > p.foot.index {
		err = fmt.Errorf("block goes over the index: %w", ErrChanged)
	}
	return k, b, err
}

// decompress fills buf with the block's frames, and never more than it says.
func (p *sealedParts) decompress(k block, header []byte) error {
	p.zbuf = grow(p.zbuf[:0], k.zlen)
	if _, err := p.r.ReadAt(p.zbuf, p.place+blockHeaderLen); err != nil {
		return err
	}
	if p.cipher != nil {
		plain, err := p.cipher.open(p.blocks, p.zbuf, header)
		if err != nil {
			return fmt.Errorf("encryption: %w", ErrChanged)
		}
		p.zbuf = plain
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

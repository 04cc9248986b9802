package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Sealed file: header, blocks, index, footer. SealedExt is its name's end.
const SealedExt = ".drs"

// Sealed header layout.
const (
	sealMagic = "DRGSEAL\n"

	sealOffMagic   = 0  // 8
	sealOffVersion = 8  // 2
	sealOffIDLen   = 10 // 2
	sealOffZero    = 12 // 4 reserved, zero
	sealOffID      = 16 // 64 session id, padded with zeros
	sealOffSum     = 80 // 32 SHA-256 of the bytes before; in version 2 the salt is here

	sealHeaderLen = 112
	// Version 2 has its hash behind the salt.
	sealOffSaltSum     = sealOffSum + saltLen
	encryptedHeaderLen = sealOffSaltSum + hashLen
)

// Block layout: this header, then the frames as one zstd frame.
const (
	blockMagic = "BLK1"

	blockOffMagic  = 0  // 4
	blockOffZLen   = 4  // 4 compressed length
	blockOffLen    = 8  // 4 length of the frames
	blockOffCount  = 12 // 4 number of frames
	blockOffSeq    = 16 // 8 sequence number of the first
	blockOffTime   = 24 // 8 time of the first
	blockOffOffset = 32 // 8 stream offset of the first

	blockHeaderLen = 40

	// blockTarget is the length at which a block is closed. A block holds whole
	// frames, so the longest is one that a frame of the largest size fills up.
	blockTarget = 1 << 20
	maxBlock    = blockTarget + MaxPayload + frameOverhead
	// maxZBlock bounds the compressed length: zstd adds little to what it cannot compress.
	maxZBlock = maxBlock + maxBlock/128 + 1024 + tagLen
)

// Index layout: magic, count, then one entry a block: at 0 where the block's header is in the file,
// at 8 its first frame's number, at 16 that one's time, at 24 its offset in the stream; 8 bytes each.
const (
	indexMagic = "IDX1" // 4, then 4 count

	indexHeaderLen = 8
	indexEntryLen  = 32
	// maxBlocks bounds the index: 4 Mi blocks are 4 TiB of frames.
	maxBlocks = 4 << 20
)

// Footer layout: the file's last bytes.
const (
	footMagic = "DRGEND\r\n"

	footOffMagic  = 0  // 8
	footOffFlags  = 8  // 4
	footOffZero   = 12 // 4 reserved, zero
	footOffFrames = 16 // 8 number of frames
	footOffLen    = 24 // 8 length of the stream of frames
	footOffIndex  = 32 // 8 where the index is in the file
	footOffHash   = 40 // 32 chain hash after the last frame
	footOffSum    = 72 // 32 SHA-256 of the whole file before

	footLen = 104

	footEnded = 1 << 0 // the last frame is a Close
	footLost  = 1 << 1 // that recovery made
	footKnown = footEnded | footLost
)

// encodeSealHeader: a salt, or nil for a file that is not encrypted.
func encodeSealHeader(session string, salt []byte) []byte {
	b := make([]byte, sealOffSum, encryptedHeaderLen)
	copy(b[sealOffMagic:], sealMagic)
	binary.BigEndian.PutUint16(b[sealOffVersion:], Version)
	if salt != nil {
		binary.BigEndian.PutUint16(b[sealOffVersion:], versionEncrypted)
	}
	binary.BigEndian.PutUint16(b[sealOffIDLen:], uint16(len(session)))
	copy(b[sealOffID:sealOffSum], session)
	b = append(b, salt...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// sealHeader is a decoded header; salt is nil when the file is not encrypted.
type sealHeader struct {
	session string
	salt    []byte
	len     int64
}

func decodeSealHeader(b []byte) (h sealHeader, err error) {
	if len(b) < sealHeaderLen {
		return h, fmt.Errorf("header: %w", ErrTruncated)
	}
	version, end := binary.BigEndian.Uint16(b[sealOffVersion:]), sealOffSum
	if version == versionEncrypted {
		end = sealOffSaltSum
	}
	if string(b[:len(sealMagic)]) != sealMagic || version != Version && version != versionEncrypted {
		return h, fmt.Errorf("header: %w", ErrVersion)
	}
	if len(b) < end+hashLen {
		return h, fmt.Errorf("header: %w", ErrTruncated)
	}
	sum := sha256.Sum256(b[:end])
	n := int(binary.BigEndian.Uint16(b[sealOffIDLen:]))
	if !bytes.Equal(sum[:], b[end:end+hashLen]) || n > MaxSessionID || !ValidSession(string(b[sealOffID:sealOffID+n])) {
		return h, fmt.Errorf("header: %w", ErrChanged)
	}
	h.session, h.len = string(b[sealOffID:sealOffID+n]), int64(end+hashLen)
	if version == versionEncrypted {
		h.salt = bytes.Clone(b[sealOffSum:sealOffSaltSum])
	}
	return h, nil
}

// block is a decoded block header and, in the index, its place.
type block struct {
	place  int64
	zlen   int
	len    int
	count  uint32
	seq    uint64
	time   int64
	offset uint64
}

func (k block) encode() []byte {
	b := make([]byte, blockHeaderLen)
	copy(b, blockMagic)
	binary.BigEndian.PutUint32(b[blockOffZLen:], uint32(k.zlen))
	binary.BigEndian.PutUint32(b[blockOffLen:], uint32(k.len))
	binary.BigEndian.PutUint32(b[blockOffCount:], k.count)
	binary.BigEndian.PutUint64(b[blockOffSeq:], k.seq)
	binary.BigEndian.PutUint64(b[blockOffTime:], uint64(k.time))
	binary.BigEndian.PutUint64(b[blockOffOffset:], k.offset)
	return b
}

func decodeBlock(b []byte) (block, error) {
	if string(b[:4]) != blockMagic {
		return block{}, fmt.Errorf("block header: %w", ErrChanged)
	}
	zlen, n := binary.BigEndian.Uint32(b[blockOffZLen:]), binary.BigEndian.Uint32(b[blockOffLen:])
	if n > maxBlock || zlen > maxZBlock {
		return block{}, fmt.Errorf("block of %d bytes: %w", n, ErrTooLarge)
	}
	return block{zlen: int(zlen), len: int(n), count: binary.BigEndian.Uint32(b[blockOffCount:]),
		seq:    binary.BigEndian.Uint64(b[blockOffSeq:]),
		time:   int64(binary.BigEndian.Uint64(b[blockOffTime:])),
		offset: binary.BigEndian.Uint64(b[blockOffOffset:])}, nil
}

func (k block) indexEntry(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(k.place))
	b = binary.BigEndian.AppendUint64(b, k.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(k.time))
	return binary.BigEndian.AppendUint64(b, k.offset)
}

// Footer is what a sealed file says of itself at its end.
type Footer struct {
	Frames uint64
	Bytes  uint64 // length of the stream of frames
	// Ended says that the last frame is a Close; Lost that recovery made it.
	Ended, Lost bool
	// Hash is the chain hash after the last frame; FileHash the SHA-256 of the file before it.
	Hash, FileHash [hashLen]byte

	index int64
}

// encode leaves the place of FileHash to the caller.
func (f Footer) encode() []byte {
	b := make([]byte, footLen)
	copy(b, footMagic)
	var flags uint32
	if f.Ended {
		flags |= footEnded
	}
	if f.Lost {
		flags |= footLost
	}
	binary.BigEndian.PutUint32(b[footOffFlags:], flags)
	binary.BigEndian.PutUint64(b[footOffFrames:], f.Frames)
	binary.BigEndian.PutUint64(b[footOffLen:], f.Bytes)
	binary.BigEndian.PutUint64(b[footOffIndex:], uint64(f.index))
	copy(b[footOffHash:], f.Hash[:])
	return b
}

func decodeFooter(b []byte) (Footer, error) {
	if len(b) < footLen || string(b[:len(footMagic)]) != footMagic {
		return Footer{}, fmt.Errorf("footer: %w", ErrTruncated)
	}
	flags := binary.BigEndian.Uint32(b[footOffFlags:])
	index := binary.BigEndian.Uint64(b[footOffIndex:])
	if flags&^footKnown != 0 || binary.BigEndian.Uint32(b[footOffZero:]) != 0 || index > 1<<62 {
		return Footer{}, fmt.Errorf("footer: %w", ErrChanged)
	}
	f := Footer{Frames: binary.BigEndian.Uint64(b[footOffFrames:]), Bytes: binary.BigEndian.Uint64(b[footOffLen:]),
		Ended: flags&footEnded != 0, Lost: flags&footLost != 0, index: int64(index)}
	copy(f.Hash[:], b[footOffHash:])
	copy(f.FileHash[:], b[footOffSum:])
	return f, nil
}

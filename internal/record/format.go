package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"
)

// Version of the byte format that this package writes. docs/record-format.md
// describes it; all integers are big-endian.
const Version = 1

// Limits of the format.
const (
	// MaxPayload bounds one frame's payload. Wire data that is larger is split
	// into several frames; a longer length on disk is corruption.
	MaxPayload = 16 << 20
	// MaxSessionID is the longest session id, in bytes.
	MaxSessionID = 64
)

// Frame layout: header, payload, chain hash.
const (
	offLen    = 0  // 4 payload length
	offKind   = 4  // 1 Kind
	offFlags  = 5  // 1 flags
	offZero   = 6  // 2 reserved, zero
	offSeq    = 8  // 8 sequence number
	offTime   = 16 // 8 nanoseconds since 1970, signed
	offAction = 24 // 8 ordinal of the action

	frameHeaderLen = 32
	hashLen        = sha256.Size
	frameOverhead  = frameHeaderLen + hashLen

	flagRecovered = 1 << 0 // made by recovery, not by the session's own writer
	flagsKnown    = flagRecovered
)

// Segment header layout. A segment is a header and then frames.
const (
	segMagic = "DRGSEG\r\n"

	segOffMagic   = 0   // 8
	segOffVersion = 8   // 2
	segOffIDLen   = 10  // 2 length of the session id
	segOffNumber  = 12  // 4 number of the segment, from 0
	segOffSeq     = 16  // 8 sequence number of its first frame
	segOffOffset  = 24  // 8 stream offset of its first frame
	segOffID      = 32  // 64 session id, padded with zeros
	segOffPrev    = 96  // 32 chain hash before its first frame
	segOffSum     = 128 // 32 SHA-256 of the bytes before

	segHeaderLen = 160
)

// Domains keep the hashes of this format apart from each other and from all others.
const (
	domainFrame   = "drgfrm1\x00" // 8 bytes
	domainSession = "drgses1\x00" // 8 bytes
)

// Errors of the format. CorruptError wraps one of them.
var (
	ErrChanged   = errors.New("changed")             // bytes are not what was written
	ErrGap       = errors.New("frames are missing")  // a sequence number or a segment is skipped
	ErrTruncated = errors.New("truncated")           // ends inside a frame or before its footer
	ErrTrailing  = errors.New("trailing data")       // bytes after the end
	ErrSession   = errors.New("of another session")  // the id is not the expected one
	ErrVersion   = errors.New("unknown format")      // magic or version
	ErrTooLarge  = errors.New("larger than allowed") // a length over the limit
)

// Root is the chain hash before frame 0 of a session:
// SHA-256(domain || version (2) || length of id (2) || id).
func Root(session string) [hashLen]byte {
	b := make([]byte, 0, len(domainSession)+4+MaxSessionID)
	b = append(b, domainSession...)
	b = binary.BigEndian.AppendUint16(b, Version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(session)))
	b = append(b, session...)
	return sha256.Sum256(b)
}

// ValidSession reports whether id can be a session's id: 1 to MaxSessionID of
// letters, digits, "-" and "_". It is used as a file name.
func ValidSession(id string) bool {
	if len(id) == 0 || len(id) > MaxSessionID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// chain computes chain hashes: SHA-256(domain || previous hash || header || payload).
type chain struct {
	h hash.Hash
	// in is the domain and the previous hash, so that one Write feeds both.
	in [len(domainFrame) + hashLen]byte
}

func newChain(prev [hashLen]byte) *chain {
	c := &chain{h: sha256.New()}
	copy(c.in[:], domainFrame)
	c.set(prev)
	return c
}

func (c *chain) set(prev [hashLen]byte) { copy(c.in[len(domainFrame):], prev[:]) }

func (c *chain) prev() (h [hashLen]byte) {
	copy(h[:], c.in[len(domainFrame):])
	return h
}

// next moves the chain over a frame's header and payload; the new hash is in the slice
// returned until the next call.
func (c *chain) next(body []byte) []byte {
	c.h.Reset()
	c.h.Write(c.in[:])
	c.h.Write(body)
	c.h.Sum(c.in[:len(domainFrame)])
	return c.in[len(domainFrame):]
}

// header is a decoded frame header.
type header struct {
	length int
	kind   Kind
	flags  uint8
	seq    uint64
	time   int64
	action uint64
}

func (h header) put(b []byte) {
	binary.BigEndian.PutUint32(b[offLen:], uint32(h.length))
	b[offKind] = byte(h.kind)
	b[offFlags] = h.flags
	b[offZero], b[offZero+1] = 0, 0
	binary.BigEndian.PutUint64(b[offSeq:], h.seq)
	binary.BigEndian.PutUint64(b[offTime:], uint64(h.time))
	binary.BigEndian.PutUint64(b[offAction:], h.action)
}

// decodeHeader reads a frame header of frameHeaderLen bytes. Kinds that it does
// not know are kept: a later minor addition must not make a record unreadable.
func decodeHeader(b []byte) (header, error) {
	h := header{
		kind:   Kind(b[offKind]),
		flags:  b[offFlags],
		seq:    binary.BigEndian.Uint64(b[offSeq:]),
		time:   int64(binary.BigEndian.Uint64(b[offTime:])),
		action: binary.BigEndian.Uint64(b[offAction:]),
	}
	n := binary.BigEndian.Uint32(b[offLen:])
	switch {
	case n > MaxPayload:
		return h, fmt.Errorf("payload of %d bytes: %w", n, ErrTooLarge)
	case h.kind == 0:
		return h, fmt.Errorf("kind 0: %w", ErrChanged)
	case h.flags&^flagsKnown != 0 || b[offZero] != 0 || b[offZero+1] != 0:
		return h, fmt.Errorf("reserved bits are set: %w", ErrChanged)
	}
	h.length = int(n)
	return h, nil
}

func (h header) frame(payload []byte) Frame {
	return Frame{Seq: h.seq, Time: time.Unix(0, h.time).UTC(), Kind: h.kind, Action: h.action,
		Recovered: h.flags&flagRecovered != 0, Payload: payload}
}

// segHeader is a decoded segment header.
type segHeader struct {
	session string
	number  uint32
	seq     uint64
	offset  uint64
	prev    [hashLen]byte
}

func (h segHeader) encode() []byte {
	b := make([]byte, segHeaderLen)
	copy(b[segOffMagic:], segMagic)
	binary.BigEndian.PutUint16(b[segOffVersion:], Version)
	binary.BigEndian.PutUint16(b[segOffIDLen:], uint16(len(h.session)))
	binary.BigEndian.PutUint32(b[segOffNumber:], h.number)
	binary.BigEndian.PutUint64(b[segOffSeq:], h.seq)
	binary.BigEndian.PutUint64(b[segOffOffset:], h.offset)
	copy(b[segOffID:segOffPrev], h.session)
	copy(b[segOffPrev:], h.prev[:])
	sum := sha256.Sum256(b[:segOffSum])
	copy(b[segOffSum:], sum[:])
	return b
}

func decodeSegHeader(b []byte) (segHeader, error) {
	var h segHeader
	if len(b) < segHeaderLen {
		return h, fmt.Errorf("segment header: %w", ErrTruncated)
	}
	if string(b[:len(segMagic)]) != segMagic || binary.BigEndian.Uint16(b[segOffVersion:]) != Version {
		return h, fmt.Errorf("segment header: %w", ErrVersion)
	}
	sum := sha256.Sum256(b[:segOffSum])
	if !bytes.Equal(sum[:], b[segOffSum:segHeaderLen]) {
		return h, fmt.Errorf("segment header: %w", ErrChanged)
	}
	n := int(binary.BigEndian.Uint16(b[segOffIDLen:]))
	if n > MaxSessionID || !ValidSession(string(b[segOffID:segOffID+n])) {
		return h, fmt.Errorf("segment header: session id: %w", ErrChanged)
	}
	h.session = string(b[segOffID : segOffID+n])
	h.number = binary.BigEndian.Uint32(b[segOffNumber:])
	h.seq = binary.BigEndian.Uint64(b[segOffSeq:])
	h.offset = binary.BigEndian.Uint64(b[segOffOffset:])
	copy(h.prev[:], b[segOffPrev:])
	if h.seq == 0 && (h.prev != Root(h.session) || h.offset != 0) {
		return h, fmt.Errorf("segment header: %w", ErrSession)
	}
	return h, nil
}

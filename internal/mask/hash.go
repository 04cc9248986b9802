package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"strconv"
	"sync"
)

// hashPrefix begins a hashed text, 26 characters of base32 follow.
const hashPrefix = "hmac_"

var hashEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Domains of the hash, so that values of unlike types do not collide.
const (
	hashText  = 't'
	hashInt   = 'i'
	hashFloat = 'f'
	hashNum   = 'n'
	hashUUID  = 'u'
	hashBytes = 'b'
)

// hasher computes HMAC-SHA-256 under one key, without allocation once warm.
type hasher struct{ pool sync.Pool }

type hashState struct {
	mac hash.Hash
	sum [sha256.Size]byte
	buf []byte
}

func newHasher(key []byte) *hasher {
	key = append([]byte(nil), key...)
	return &hasher{pool: sync.Pool{New: func() any { return &hashState{mac: hmac.New(sha256.New, key)} }}}
}

// of is the HMAC of the domain and the value.
func (h *hasher) of(domain byte, v []byte) (sum [sha256.Size]byte) {
	s := h.pool.Get().(*hashState)
	s.mac.Reset()
	s.buf = append(s.buf[:0], domain)
	s.mac.Write(s.buf)
	for len(v) > 0 { // by way of s.buf, so that v may be on the caller's stack
		s.buf = append(s.buf[:0], v[:min(len(v), 4096)]...)
		s.mac.Write(s.buf)
		v = v[min(len(v), 4096):]
	}
	s.mac.Sum(s.sum[:0])
	sum = s.sum
	clear(s.buf)
	h.pool.Put(s)
	return sum
}

func (h *hasher) of64(domain byte, v uint64) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	sum := h.of(domain, b[:])
	return binary.BigEndian.Uint64(sum[:8])
}

// appendText appends the hash of a text.
func (h *hasher) appendText(dst, v []byte) []byte {
	sum := h.of(hashText, v)
	return hashEncoding.AppendEncode(append(dst, hashPrefix...), sum[:16])
}

// hash masks under the way hash; ok is false when the value is not what its
// type says, which then gets the constant.
func (m *Masker) hash(dst, val []byte, bin bool) (out []byte, ok bool) {
	h := m.plan.hasher
	switch m.class {
	case cText:
		return m.fit(h.appendText(dst, val), len(dst)), true
	case cBpchar:
		return m.fit(h.appendText(dst, bytes.TrimRight(val, " ")), len(dst)), true
	case cJSON, cJSONB:
		return m.hashJSON(dst, val, bin)
	case cBytea:
		return m.hashBytea(dst, val, bin)
	case cUUID:
		return m.hashUUID(dst, val, bin)
	case cFloat4, cFloat8:
		return m.hashFloat(dst, val, bin)
	case cNumeric:
		return m.hashNumeric(dst, val, bin)
	}
	return m.hashInt(dst, val, bin)
}

func (m *Masker) hashJSON(dst, val []byte, bin bool) ([]byte, bool) {
	if bin && m.class == cJSONB {
		if len(val) == 0 || val[0] != 1 {
			return dst, false
		}
		dst, val = append(dst, 1), val[1:]
	}
	return append(m.plan.hasher.appendText(append(dst, '"'), val), '"'), true
}

func (m *Masker) hashBytea(dst, val []byte, bin bool) ([]byte, bool) {
	if bin {
		sum := m.plan.hasher.of(hashBytes, val)
		return append(dst, sum[:]...), true
	}
	raw, ok := decodeBytea(nil, val)
	if !ok {
		return dst, false
	}
	sum := m.plan.hasher.of(hashBytes, raw)
	return hex.AppendEncode(append(dst, `\x`...), sum[:]), true
}

// hashUUID makes a version 8 UUID of the hash.
func (m *Masker) hashUUID(dst, val []byte, bin bool) ([]byte, bool) {
	var id [16]byte
	if bin {
		if copy(id[:], val) != 16 || len(val) != 16 {
			return dst, false
		}
	} else {
		n := 0
		for _, b := range val {
			if b == '-' {
				continue
			}
			if n == 32 || !isHex(b) {
				return dst, false
			}
			id[n/2] = id[n/2]<<4 | unhex(b)
			n++
		}
		if n != 32 {
			return dst, false
		}
	}
	sum := m.plan.hasher.of(hashUUID, id[:])
	copy(id[:], sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	if bin {
		return append(dst, id[:]...), true
	}
	for i, n := range [...]int{0, 4, 6, 8, 10} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[n:[...]int{4, 6, 8, 10, 16}[i]])
	}
	return dst, true
}

func unhex(b byte) byte {
	switch {
	case isDigit(b):
		return b - '0'
	case b >= 'a':
		return b - 'a' + 10
	}
	return b - 'A' + 10
}

// intSize gives the width in bytes of the class and the bits that a hash may have.
func (c class) intSize() (size int, mask uint64) {
	switch c {
	case cInt2:
		return 2, 1<<15 - 1
	case cInt4:
		return 4, 1<<31 - 1
	case cOID:
		return 4, 1<<32 - 1
	}
	return 8, 1<<63 - 1
}

func (m *Masker) hashInt(dst, val []byte, bin bool) ([]byte, bool) {
	size, mask := m.class.intSize()
	var v uint64
	switch {
	case !bin:
		n, err := strconv.ParseInt(string(val), 10, 64)
		if err != nil {
			return dst, false
		}
		v = uint64(n)
	case len(val) != size:
		return dst, false
	case size == 2:
		v = uint64(int16(binary.BigEndian.Uint16(val)))
	case m.class == cInt4:
		v = uint64(int32(binary.BigEndian.Uint32(val)))
	case size == 4:
		v = uint64(binary.BigEndian.Uint32(val))
	default:
		v = binary.BigEndian.Uint64(val)
	}
	v = m.plan.hasher.of64(hashInt, v) & mask
	switch {
	case !bin:
		return strconv.AppendUint(dst, v, 10), true
	case size == 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v)), true
	case size == 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v)), true
	}
	return binary.BigEndian.AppendUint64(dst, v), true
}

// hashFloat gives an integer that the type holds exactly.
func (m *Masker) hashFloat(dst, val []byte, bin bool) ([]byte, bool) {
	bits := 64
	if m.class == cFloat4 {
		bits = 32
	}
	var f float64
	var err error
	switch {
	case !bin:
		f, err = strconv.ParseFloat(string(val), bits)
	case len(val) != bits/8:
		return dst, false
	case bits == 32:
		f = float64(math.Float32frombits(binary.BigEndian.Uint32(val)))
	default:
		f = math.Float64frombits(binary.BigEndian.Uint64(val))
	}
	if err != nil || f != f {
		return dst, false
	}
	v := m.plan.hasher.of64(hashFloat, math.Float64bits(f+0)) // -0 is 0
	switch {
	case bits == 32:
		v &= 1<<24 - 1
	default:
		v &= 1<<53 - 1
	}
	switch {
	case !bin:
		return strconv.AppendUint(dst, v, 10), true
	case bits == 32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v))), true
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(v))), true
}

// Package ulid makes ids that sort by time: a prefix and a ULID, 48 bits of
// milliseconds and 80 random bits in Crockford's base 32, 26 characters.
package ulid

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"time"
)

// Length of the part after the prefix.
const Length = 26

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// New returns prefix and a fresh ULID of the given time.
func New(prefix string, at time.Time) string {
	var b [16]byte // 6 bytes of milliseconds, 10 random
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails (crypto/rand)
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	out := make([]byte, Length)
	for i := Length - 1; i >= 0; i-- { // 130 bits: the top two are zero
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return prefix + string(out)
}

// Valid reports whether s is prefix and a ULID.
func Valid(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != Length || rest[0] > '7' {
		return false
	}
	return strings.Trim(rest, alphabet) == ""
}

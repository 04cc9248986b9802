package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"reflect"
	"strings"

	"dragoman.dev/dragoman/internal/sql"
)

// Digest binds an approval to exact bytes: each part with its length.
func Digest(parts ...[]byte) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		for i := range n {
			n[i] = byte(len(p) >> (8 * (7 - i)))
		}
		h.Write(n[:])
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Same reports whether two analyses found the same.
func Same(a, b *sql.Statement) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := &a.Action, &b.Action
	return reflect.DeepEqual(x.Verbs, y.Verbs) && reflect.DeepEqual(x.Reads, y.Reads) && reflect.DeepEqual(x.Writes, y.Writes) &&
		reflect.DeepEqual(x.Functions, y.Functions) && a.Effects == b.Effects && a.Returns == b.Returns &&
		reflect.DeepEqual(a.Outputs, b.Outputs) && reflect.DeepEqual(a.Probes, b.Probes) && reflect.DeepEqual(a.Flows, b.Flows) &&
		Same(a.Inner, b.Inner)
}

// Local reports whether an address is on this machine.
func Local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return strings.HasPrefix(addr, "/") // a unix socket
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

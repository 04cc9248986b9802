// Package front reads what Envoy tells the bridge before a client's first byte: a PROXY
// protocol v2 header (haproxy's proxy-protocol.txt, section 2.2) whose TLVs name the targets
// of the listener and the client certificate that Envoy verified. It is believed because only
// our own Envoy can open the bridge's socket.
package front

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

// Front is a connection as Envoy saw it.
type Front struct {
	Client  netip.AddrPort // the client's address
	Local   netip.AddrPort // the listener's
	Targets []string       // never empty; the first is meant when the client says nothing
	// SPIFFE is the verified client certificate's URI SAN and CertDigest its SHA-256 (hex); "" without one.
	SPIFFE     string
	CertDigest string
}

// signature begins every version 2 header.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// The header is the signature, a byte of version (high nibble, 2) and command (0 LOCAL, 1 PROXY), a byte of
// family (high nibble, 1 IPv4, 2 IPv6) and transport (1 stream), and a 16-bit length of what follows:
// source and destination addresses and ports, then TLVs of an 8-bit type and a 16-bit length.
const (
	headLen   = 16
	proxyV2   = 0x21
	tcp4      = 0x11
	tcp6      = 0x21
	maxHeader = 4096 // bytes behind the head; ours has a list of names and a URI
)

// Read reads the header and nothing behind it.
func Read(r io.Reader) (Front, error) {
	var head [headLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Front{}, fmt.Errorf("front: %w", err)
	}
	if string(head[:12]) != signature || head[12] != proxyV2 {
		return Front{}, errors.New("front: no PROXY v2 header")
	}
	n := int(binary.BigEndian.Uint16(head[14:]))
	if n > maxHeader {
		return Front{}, fmt.Errorf("front: a header of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return Front{}, fmt.Errorf("front: %w", err)
	}
	return parse(head[13], body)
}

func parse(family byte, b []byte) (Front, error) {
	var f Front
	size := map[byte]int{tcp4: 4, tcp6: 16}[family]
	if size == 0 || len(b) < 2*size+4 {
		return f, errors.New("front: neither TCP over IPv4 nor over IPv6")
	}
	src, _ := netip.AddrFromSlice(b[:size])
	dst, _ := netip.AddrFromSlice(b[size : 2*size])
	f.Client = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(b[2*size:]))
	f.Local = netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(b[2*size+2:]))
	seen := map[byte]bool{}
	for b = b[2*size+4:]; len(b) > 0; {
		if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
			return Front{}, errors.New("front: a TLV that is cut off")
		}
		kind, v := b[0], string(b[3:3+binary.BigEndian.Uint16(b[1:])])
		b = b[3+len(v):]
		if v == "-" {
			v = "" // Envoy's way to say that it has none
		}
		if seen[kind] && kind >= nodeconfig.TLVTargets {
			return Front{}, fmt.Errorf("front: TLV %#x comes twice", kind)
		}
		seen[kind] = true
		switch kind {
		case nodeconfig.TLVTargets:
			f.Targets = strings.Split(v, ",")
		case nodeconfig.TLVURISAN:
			f.SPIFFE = v
		case nodeconfig.TLVCertDigest:
			f.CertDigest = v
		}
	}
	if len(f.Targets) == 0 || f.Targets[0] == "" {
		return Front{}, errors.New("front: no target is named")
	}
	if strings.Contains(f.SPIFFE, ",") { // a SPIFFE certificate has exactly one
		f.SPIFFE = ""
	}
	return f, nil
}

// Conn is a connection with the addresses that Envoy saw.
type Conn struct {
	net.Conn
	Front Front
}

// RemoteAddr is the client's.
func (c Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.Front.Client) }

// LocalAddr is the listener's.
func (c Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.Front.Local) }

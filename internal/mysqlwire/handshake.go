package mysqlwire

import (
	"encoding/binary"
	"fmt"
)

// Capabilities of client and server (CLIENT_…).
const (
	CapLongPassword    = 1 << 0
	CapFoundRows       = 1 << 1
	CapLongFlag        = 1 << 2
	CapConnectWithDB   = 1 << 3
	CapNoSchema        = 1 << 4
	CapCompress        = 1 << 5
	CapODBC            = 1 << 6
	CapLocalFiles      = 1 << 7
	CapIgnoreSpace     = 1 << 8
	CapProtocol41      = 1 << 9
	CapInteractive     = 1 << 10
	CapSSL             = 1 << 11
	CapTransactions    = 1 << 13
	CapSecure          = 1 << 15 // the auth response has its length before it
	CapMultiStatements = 1 << 16
	CapMultiResults    = 1 << 17
	CapPSMultiResults  = 1 << 18
	CapPluginAuth      = 1 << 19
	CapConnectAttrs    = 1 << 20
	CapAuthLenenc      = 1 << 21
	CapExpired         = 1 << 22
	CapSessionTrack    = 1 << 23
	CapDeprecateEOF    = 1 << 24
)

// Offered is what the gateway can relay; what is not in it is negotiated off: compression, optional metadata, query
// attributes, names without a schema (the gateway's own queries have one), and MariaDB's extensions (which a server announces by leaving out CapLongPassword).
const Offered = CapLongPassword | CapFoundRows | CapLongFlag | CapConnectWithDB | CapODBC | CapLocalFiles |
	CapIgnoreSpace | CapProtocol41 | CapInteractive | CapTransactions | CapSecure | CapMultiStatements | CapMultiResults |
	CapPSMultiResults | CapPluginAuth | CapConnectAttrs | CapAuthLenenc | CapSessionTrack | CapDeprecateEOF

// Names of authentication plugins.
const (
	PluginNative  = "mysql_native_password"
	PluginSHA2    = "caching_sha2_password"
	PluginSHA256  = "sha256_password"
	PluginClear   = "mysql_clear_password"
	PluginDialog  = "dialog"
	PluginEd25519 = "client_ed25519"
)

// NonceLen is the length of a challenge.
const NonceLen = 20

// Greeting is the server's first packet (protocol 10).
type Greeting struct {
	Version string
	Thread  uint32
	Nonce   []byte
	Caps    uint32
	Charset byte
	Status  uint16
	Plugin  string
}

// Append appends the payload: protocol (1), version NUL, thread (4), nonce (8), 0, caps low (2), charset (1), status
// (2), caps high (2), nonce length (1), reserved (10), rest of the nonce (12) NUL, plugin NUL.
func (g *Greeting) Append(b []byte) []byte {
	b = append(append(append(b, 10), g.Version...), 0)
	b = binary.LittleEndian.AppendUint32(b, g.Thread)
	b = append(append(b, g.Nonce[:8]...), 0)
	b = append(b, byte(g.Caps), byte(g.Caps>>8), g.Charset, byte(g.Status), byte(g.Status>>8), byte(g.Caps>>16), byte(g.Caps>>24))
	b = append(b, byte(len(g.Nonce)+1))
	b = append(b, make([]byte, 10)...)
	b = append(append(b, g.Nonce[8:]...), 0)
	return append(append(b, g.Plugin...), 0)
}

// DecodeGreeting reads a server's greeting; its strings are copies.
func DecodeGreeting(b []byte) (Greeting, error) {
	var g Greeting
	if len(b) < 1 || b[0] != 10 {
		return g, fmt.Errorf("%w: not a greeting of protocol 10", ErrShort)
	}
	version, b, err := nulString(b[1:])
	if err != nil || len(b) < 4+8+1+2 {
		return g, ErrShort
	}
	g.Version, g.Thread = string(version), binary.LittleEndian.Uint32(b)
	g.Nonce = append([]byte(nil), b[4:12]...)
	g.Caps = uint32(binary.LittleEndian.Uint16(b[13:]))
	b = b[15:]
	if len(b) < 1+2+2+1+10 {
		return g, ErrShort
	}
	g.Charset, g.Status = b[0], binary.LittleEndian.Uint16(b[1:])
	g.Caps |= uint32(binary.LittleEndian.Uint16(b[3:])) << 16
	n := int(b[5])
	b = b[16:]
	if g.Caps&CapSecure != 0 {
		m := max(13, n-8)
		if len(b) < m {
			return g, ErrShort
		}
		rest := b[:m]
		if rest[m-1] == 0 {
			rest = rest[:m-1]
		}
		g.Nonce, b = append(g.Nonce, rest...), b[m:]
	}
	if g.Caps&CapPluginAuth != 0 {
		if plugin, _, err := nulString(b); err == nil {
			g.Plugin = string(plugin)
		} else {
			g.Plugin = string(b) // some servers leave the NUL out
		}
	}
	return g, nil
}

// Attr is a connection attribute.
type Attr struct{ Name, Value string }

// Response is the client's answer to the greeting (HandshakeResponse41).
type Response struct {
	Caps      uint32
	MaxPacket uint32
	Charset   byte
	User      string
	Auth      []byte
	Database  string
	Plugin    string
	Attrs     []Attr
}

// Attr gives a connection attribute by name.
func (r *Response) Attr(name string) string {
	for _, a := range r.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// SSLRequestLen is the payload of an SSLRequest: the head of a Response.
const SSLRequestLen = 32

func appendHead(b []byte, r *Response) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.Caps)
	b = binary.LittleEndian.AppendUint32(b, r.MaxPacket)
	return append(append(b, r.Charset), make([]byte, 23)...)
}

// AppendSSLRequest appends the payload that asks for TLS.
func (r *Response) AppendSSLRequest(b []byte) []byte { return appendHead(b, r) }

// IsSSLRequest reports whether a payload is one.
func IsSSLRequest(b []byte) bool {
	return len(b) == SSLRequestLen && binary.LittleEndian.Uint32(b)&CapSSL != 0
}

// Append appends the payload: caps (4), max packet (4), charset (1), reserved (23), user NUL, auth response,
// database NUL, plugin NUL, attributes.
func (r *Response) Append(b []byte) []byte {
	b = appendHead(b, r)
	b = append(append(b, r.User...), 0)
	if r.Caps&CapAuthLenenc != 0 {
		b = AppendLenencString(b, r.Auth)
	} else {
		b = append(append(b, byte(len(r.Auth))), r.Auth...)
	}
	if r.Caps&CapConnectWithDB != 0 {
		b = append(append(b, r.Database...), 0)
	}
	if r.Caps&CapPluginAuth != 0 {
		b = append(append(b, r.Plugin...), 0)
	}
	if r.Caps&CapConnectAttrs != 0 {
		var list []byte
		for _, a := range r.Attrs {
			list = AppendLenencString(AppendLenencString(list, a.Name), a.Value)
		}
		b = AppendLenencString(b, list)
	}
	return b
}

// maxAttrs bounds the attributes that are looked at.
const maxAttrs = 64

// DecodeResponse reads a client's answer; its strings are copies.
func DecodeResponse(b []byte) (Response, error) {
	var r Response
	if len(b) < SSLRequestLen {
		return r, ErrShort
	}
	r.Caps, r.MaxPacket, r.Charset = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), b[8]
	if r.Caps&CapProtocol41 == 0 {
		return r, fmt.Errorf("%w: the client speaks the protocol of before MySQL 4.1", ErrShort)
	}
	user, b, err := nulString(b[SSLRequestLen:])
	if err != nil {
		return r, err
	}
	r.User = string(user)
	auth, b, err := authResponse(r.Caps, b)
	if err != nil {
		return r, err
	}
	r.Auth = append([]byte(nil), auth...)
	if r.Caps&CapConnectWithDB != 0 && len(b) > 0 {
		var db []byte
		if db, b, err = nulString(b); err != nil {
			return r, err
		}
		r.Database = string(db)
	}
	if r.Caps&CapPluginAuth != 0 && len(b) > 0 {
		plugin, rest, err := nulString(b)
		if err != nil {
			plugin, rest = b, nil
		}
		r.Plugin, b = string(plugin), rest
	}
	if r.Caps&CapConnectAttrs != 0 && len(b) > 0 {
		r.Attrs = attrs(b)
	}
	return r, nil
}

func authResponse(caps uint32, b []byte) (auth, rest []byte, err error) {
	switch {
	case caps&CapAuthLenenc != 0:
		return LenencString(b)
	case caps&CapSecure != 0:
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return nil, nil, ErrShort
		}
		return b[1 : 1+int(b[0])], b[1+int(b[0]):], nil
	}
	return nulString(b)
}

// attrs reads as many attributes as are well formed.
func attrs(b []byte) []Attr {
	list, _, err := LenencString(b)
	if err != nil {
		return nil
	}
	var out []Attr
	for len(list) > 0 && len(out) < maxAttrs {
		var name, value []byte
		if name, list, err = LenencString(list); err != nil {
			return out
		}
		if value, list, err = LenencString(list); err != nil {
			return out
		}
		out = append(out, Attr{string(name), string(value)})
	}
	return out
}

// AppendAuthSwitch appends the payload that asks for another plugin: 0xfe, plugin NUL, nonce NUL.
func AppendAuthSwitch(b []byte, plugin string, nonce []byte) []byte {
	b = append(append(append(b, 0xfe), plugin...), 0)
	if nonce == nil {
		return b
	}
	return append(append(b, nonce...), 0)
}

// DecodeAuthSwitch reads it, without the leading 0xfe.
func DecodeAuthSwitch(b []byte) (plugin string, nonce []byte, err error) {
	p, rest, err := nulString(b)
	if err != nil {
		return "", nil, err
	}
	if n := len(rest); n > 0 && rest[n-1] == 0 {
		rest = rest[:n-1]
	}
	return string(p), append([]byte(nil), rest...), nil
}

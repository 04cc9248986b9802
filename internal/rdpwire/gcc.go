package rdpwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// GCC (T.124) wraps the blocks in a conference that is always the same: these bytes are its PER.
var (
	gccKey      = []byte{0, 5, 0, 0x14, 0x7c, 0, 1}
	gccRequest  = []byte{0, 8, 0, 0x10, 0, 1, 0xc0, 0, 'D', 'u', 'c', 'a'}
	gccResponse = []byte{0x14, 0x76, 0x0a, 1, 1, 0, 1, 0xc0, 0, 'M', 'c', 'D', 'n'}
)

// Types of blocks (MS-RDPBCGR 2.2.1.3.1).
const (
	csCore     = 0xc001
	csSecurity = 0xc002
	csNet      = 0xc003
	csCluster  = 0xc004
	scCore     = 0x0c01
	scSecurity = 0x0c02
	scNet      = 0x0c03
)

// MaxChannels is how many static channels a client may ask for (2.2.1.3.4).
const MaxChannels = 31

// Channel is a static virtual channel that a client asks for.
type Channel struct {
	Name    string // in lower case
	Options uint32
}

// ClientData is what the bridge needs of a client's blocks.
type ClientData struct {
	Core     Core
	Channels []Channel
}

// Core is the client core data (2.2.1.3.2).
type Core struct {
	Version        uint32
	Width, Height  uint16
	Depth          uint16 // highColorDepth: 4, 8, 15, 16 or 24
	Want32         bool
	KeyboardLayout uint32
	KeyboardType   uint32
	KeyboardSub    uint32
	KeyboardKeys   uint32
	Build          uint32
	Name           string // the client's computer
}

// ServerData is what the bridge needs of a server's blocks.
type ServerData struct {
	Encryption uint32 // method: must be 0 within TLS
	IOChannel  uint16
	Channels   []uint16 // in the order of the client's
}

// blocks calls f for each block.
func blocks(b []byte, f func(kind uint16, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return fmt.Errorf("rdp: GCC: %w", ErrShort)
		}
		kind, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return fmt.Errorf("rdp: GCC block %#x: %w", kind, ErrShort)
		}
		if err := f(kind, b[4:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func appendBlock(b []byte, kind uint16, body []byte) []byte {
	return append(put16(put16(b, kind), uint16(len(body)+4)), body...)
}

func parseConferenceRequest(b []byte) (ClientData, error) {
	var d ClientData
	rest, ok := bytes.CutPrefix(b, gccKey)
	c := cursor{b: rest}
	c.perLength()
	if !ok || !bytes.Equal(c.take(len(gccRequest)), gccRequest) {
		return d, errors.New("rdp: no GCC conference create request")
	}
	data := c.take(c.perLength())
	if c.bad {
		return d, c.err("rdp: GCC")
	}
	seen := false
	err := blocks(data, func(kind uint16, body []byte) (err error) {
		switch kind {
		case csCore:
			seen = true
			d.Core, err = parseCore(body)
		case csNet:
			d.Channels, err = parseNet(body)
		}
		return err
	})
	if err == nil && !seen {
		err = errors.New("rdp: no client core data")
	}
	return d, err
}

func appendConferenceRequest(b, blocks []byte) []byte {
	in := append(bytes.Clone(gccRequest), appendPERLength(nil, len(blocks))...)
	b = appendPERLength(append(b, gccKey...), len(in)+len(blocks))
	return append(append(b, in...), blocks...)
}

func parseConferenceResponse(b []byte) (ServerData, error) {
	var d ServerData
	rest, ok := bytes.CutPrefix(b, gccKey)
	at := bytes.Index(rest, gccResponse[len(gccResponse)-4:]) // the node's number is before it, of any length
	if !ok || at < 0 || at > 32 {
		return d, errors.New("rdp: no GCC conference create response")
	}
	c := cursor{b: rest[at+4:]}
	data := c.take(c.perLength())
	if c.bad {
		return d, c.err("rdp: GCC")
	}
	err := blocks(data, func(kind uint16, body []byte) error {
		c := cursor{b: body}
		switch kind {
		case scSecurity:
			d.Encryption = c.u32()
		case scNet:
			d.IOChannel = c.u16()
			n := int(c.u16())
			if n > MaxChannels {
				return fmt.Errorf("rdp: %d channels", n)
			}
			for range n {
				d.Channels = append(d.Channels, c.u16())
			}
		}
		return c.err("rdp: GCC")
	})
	if err == nil && d.IOChannel == 0 {
		err = errors.New("rdp: no server network data")
	}
	return d, err
}

func appendConferenceResponse(b, blocks []byte) []byte {
	in := append(bytes.Clone(gccResponse), appendPERLength(nil, len(blocks))...)
	b = appendPERLength(append(b, gccKey...), len(in)+len(blocks))
	return append(append(b, in...), blocks...)
}

// want32 is RNS_UD_CS_WANT_32BPP_SESSION of the early capability flags; errInfo is SUPPORT_ERRINFO_PDU.
const (
	want32  = 0x0002
	errInfo = 0x0001
)

func parseCore(b []byte) (Core, error) {
	c := cursor{b: b}
	o := Core{Version: c.u32(), Width: c.u16(), Height: c.u16()}
	c.u16() // colorDepth, for clients before postBeta2ColorDepth
	c.u16() // SASSequence
	o.KeyboardLayout, o.Build = c.u32(), c.u32()
	o.Name = Text(c.take(32))
	o.KeyboardType, o.KeyboardSub, o.KeyboardKeys = c.u32(), c.u32(), c.u32()
	c.take(64) // imeFileName
	if c.bad {
		return o, c.err("rdp: client core data")
	}
	// All that follows may be absent, from any field on.
	c.u16() // postBeta2ColorDepth
	c.u16() // clientProductId
	c.u32() // serialNumber
	if o.Depth = c.u16(); o.Depth == 0 {
		o.Depth = 16 // a client from before there was more
	}
	c.u16() // supportedColorDepths
	o.Want32 = c.u16()&want32 != 0
	if o.Width == 0 || o.Height == 0 || o.Width > MaxSide || o.Height > MaxSide {
		return o, fmt.Errorf("rdp: a desktop of %d by %d", o.Width, o.Height)
	}
	return o, nil
}

// MaxSide bounds a desktop's width and height (MS-RDPBCGR 2.2.1.3.2 says 4096 and 2048; later versions 8192).
const MaxSide = 8192

func parseNet(b []byte) ([]Channel, error) {
	c := cursor{b: b}
	n := int(c.u32())
	if n > MaxChannels {
		return nil, fmt.Errorf("rdp: %d channels", n)
	}
	out := make([]Channel, 0, n)
	for range n {
		name, _, _ := bytes.Cut(c.take(8), []byte{0})
		out = append(out, Channel{Name: strings.ToLower(string(name)), Options: c.u32()})
	}
	return out, c.err("rdp: client network data")
}

// AppendClientBlocks appends what the bridge says to a target: a desktop like the client's, no encryption below TLS, the
// channels that may be opened, and none of the newer transports, codecs and monitors.
func AppendClientBlocks(b []byte, d ClientData, selected uint32) []byte {
	o := d.Core
	core := put32(nil, o.Version)
	core = put16(put16(core, o.Width), o.Height)
	core = put16(put16(core, 0xca01), 0xaa03)
	core = put32(put32(core, o.KeyboardLayout), o.Build)
	core = appendFixed(core, o.Name, 32)
	core = put32(put32(put32(core, o.KeyboardType), o.KeyboardSub), o.KeyboardKeys)
	core = appendFixed(core, "", 64)
	core = put32(put16(put16(core, 0xca01), 1), 0)
	flags := uint16(errInfo)
	if o.Want32 {
		flags |= want32
	}
	core = put16(put16(put16(core, max(o.Depth, 8)), 0x0f), flags)
	core = appendFixed(core, "", 64) // clientDigProductId
	core = append(core, 0, 0)        // connectionType, pad
	core = put32(core, selected)
	b = appendBlock(b, csCore, core)
	b = appendBlock(b, csCluster, put32(put32(nil, 0), 0))
	b = appendBlock(b, csSecurity, put32(put32(nil, 0), 0))
	if len(d.Channels) == 0 {
		return b
	}
	net := put32(nil, uint32(len(d.Channels)))
	for _, ch := range d.Channels {
		var name [8]byte
		copy(name[:7], ch.Name)
		net = put32(append(net, name[:]...), ch.Options)
	}
	return appendBlock(b, csNet, net)
}

// appendFixed appends text in a field of n bytes, with its NUL.
func appendFixed(b []byte, s string, n int) []byte {
	t := AppendText(nil, s)
	if len(t) > n-2 {
		t = t[:n-2]
	}
	return append(append(b, t...), make([]byte, n-len(t))...)
}

// AppendServerBlocks appends what the bridge says to a client: ids for all the channels it asked for.
func AppendServerBlocks(b []byte, requested uint32, io uint16, channels []uint16) []byte {
	b = appendBlock(b, scCore, put32(put32(put32(nil, 0x00080004), requested), 0))
	b = appendBlock(b, scSecurity, put32(put32(nil, 0), 0))
	net := put16(put16(nil, io), uint16(len(channels)))
	for _, id := range channels {
		net = put16(net, id)
	}
	if len(channels)%2 == 1 {
		net = put16(net, 0)
	}
	return appendBlock(b, scNet, net)
}

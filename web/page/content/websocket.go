package content

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"
)

// Frames cuts one direction of a WebSocket into its frames (RFC 6455, section 5.2), whatever pieces it comes in.
type Frames struct {
	Marks   Marks
	Deflate bool // permessage-deflate was negotiated (RFC 7692)

	in     []byte
	lost   bool
	opcode byte // of a message that comes in fragments
	packed bool // that message is compressed
	window []byte
}

// maxFrame bounds what is kept of a frame that is not whole yet.
const maxFrame = 1 << 20

// Add gives the frames that are whole now.
func (f *Frames) Add(piece []byte) (list []Message) {
	if f.lost {
		return nil
	}
	f.in = append(f.in, piece...)
	for len(list) < maxMessages {
		h, ok := parseFrame(f.in)
		if !ok {
			break
		}
		if h.length > maxFrame {
			f.lost, f.in = true, nil
			return append(list, Message{Title: fmt.Sprintf("a frame of %d bytes: what follows is not taken apart", h.length)})
		}
		if uint64(len(f.in)) < uint64(h.head)+h.length {
			break
		}
		payload := f.in[h.head : uint64(h.head)+h.length]
		if h.masked {
			key := f.in[h.head-4 : h.head]
			plain := make([]byte, len(payload))
			for i := range payload {
				plain[i] = payload[i] ^ key[i%4]
			}
			payload = plain
		}
		list = append(list, f.frame(h, payload))
		f.in = f.in[uint64(h.head)+h.length:]
	}
	return list
}

type frameHead struct {
	opcode      byte
	fin, packed bool
	masked      bool
	head        int // length of the head, key included
	length      uint64
}

func parseFrame(b []byte) (h frameHead, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	h = frameHead{opcode: b[0] & 15, fin: b[0]&0x80 != 0, packed: b[0]&0x40 != 0, masked: b[1]&0x80 != 0, head: 2, length: uint64(b[1] & 0x7f)}
	switch h.length {
	case 126:
		h.head = 4
		if len(b) < 4 {
			return h, false
		}
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.head = 10
		if len(b) < 10 {
			return h, false
		}
		h.length = binary.BigEndian.Uint64(b[2:])
	}
	if h.masked {
		h.head += 4
	}
	return h, len(b) >= h.head
}

var opcodes = map[byte]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

func (f *Frames) frame(h frameHead, payload []byte) Message {
	name, ok := opcodes[h.opcode]
	if !ok {
		name = fmt.Sprintf("opcode %d", h.opcode)
	}
	title := fmt.Sprintf("%s, %d bytes", name, len(payload))
	if !h.fin {
		title += ", more follows"
	}
	kind := h.opcode
	switch {
	case h.opcode == 1 || h.opcode == 2:
		f.opcode, f.packed = h.opcode, h.packed
	case h.opcode == 0:
		kind = f.opcode
	case h.opcode == 8 && len(payload) >= 2:
		return Message{Title: fmt.Sprintf("%s, code %d", title, binary.BigEndian.Uint16(payload)), Spans: f.Marks.Text(string(payload[2:]))}
	}
	if f.packed && h.opcode < 8 {
		if !f.Deflate || !h.fin || h.opcode == 0 { // in parts: what follows may refer to it, so it cannot be unpacked either
			f.Deflate = false
			return Message{Title: title + ", compressed", Spans: dump(payload)}
		}
		plain, err := f.unpack(payload)
		if err != nil {
			return Message{Title: title + ", compressed", Spans: dump(payload)}
		}
		title, payload = fmt.Sprintf("%s, %d when unpacked", title, len(plain)), plain
	}
	return Message{Title: title, Spans: f.text(kind, payload)}
}

func (f *Frames) text(kind byte, b []byte) []Span {
	if kind == 2 || !utf8.Valid(b) {
		return dump(b)
	}
	if s := f.Marks.JSON(b); s != nil && looksLikeJSON(b) {
		return s
	}
	return f.Marks.Text(string(b))
}

// unpack inflates a message; what went before may be referred to.
func (f *Frames) unpack(b []byte) ([]byte, error) {
	r := flate.NewReaderDict(bytes.NewReader(append(append([]byte(nil), b...), 0, 0, 0xff, 0xff)), f.window)
	out, err := io.ReadAll(io.LimitReader(r, maxDecoded))
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	f.window = append(f.window, out...)
	f.window = f.window[max(0, len(f.window)-32<<10):]
	return out, nil
}

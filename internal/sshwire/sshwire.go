// Package sshwire is the form in which what happened on SSH channels is recorded: the
// connection protocol's own messages (RFC 4254, section 5), one a frame. Channel numbers are the
// gateway's, counted from 1 in each session; they are the same in both directions.
package sshwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Message numbers (RFC 4254, section 9).
const (
	MsgData     = 94 // byte, uint32 channel, string data
	MsgExtended = 95 // byte, uint32 channel, uint32 type, string data
	MsgEOF      = 96 // byte, uint32 channel
	MsgClose    = 97 // byte, uint32 channel
	MsgRequest  = 98 // byte, uint32 channel, string type, boolean want reply, then what the type says
)

// Stderr is the one type of extended data (section 5.2).
const Stderr = 1

// Message is a decoded message; Data and Payload are borrowed from what was decoded.
type Message struct {
	Number  byte
	Channel uint32
	Type    uint32 // of MsgExtended
	Data    []byte // of MsgData and MsgExtended
	Request string // of MsgRequest
	Payload []byte // of MsgRequest
}

// ErrMalformed says that bytes are no message of ours.
var ErrMalformed = errors.New("sshwire: malformed message")

// AppendData appends stdin or stdout.
func AppendData(dst []byte, channel uint32, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, MsgData), channel)
	return appendString(dst, data)
}

// AppendDataHead and AppendExtendedHead append what stands before n bytes of data, for those who do not copy them.
func AppendDataHead(dst []byte, channel uint32, n int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(append(dst, MsgData), channel), uint32(n))
}

func AppendExtendedHead(dst []byte, channel uint32, n int) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, MsgExtended), channel)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, Stderr), uint32(n))
}

// AppendExtended appends stderr.
func AppendExtended(dst []byte, channel uint32, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, MsgExtended), channel)
	return appendString(binary.BigEndian.AppendUint32(dst, Stderr), data)
}

// AppendRequest appends a request; payload is what follows "want reply".
func AppendRequest(dst []byte, channel uint32, name string, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, MsgRequest), channel)
	dst = append(appendString(dst, []byte(name)), 0)
	return append(dst, payload...)
}

// AppendEnd appends MsgEOF or MsgClose.
func AppendEnd(dst []byte, number byte, channel uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, number), channel)
}

func appendString(dst, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// Parse decodes one message. Lengths are bounded by those of b.
func Parse(b []byte) (Message, error) {
	if len(b) < 5 {
		return Message{}, ErrMalformed
	}
	m := Message{Number: b[0], Channel: binary.BigEndian.Uint32(b[1:])}
	rest, ok := b[5:], true
	switch m.Number {
	case MsgExtended:
		if len(rest) < 4 {
			return Message{}, ErrMalformed
		}
		m.Type, rest = binary.BigEndian.Uint32(rest), rest[4:]
		m.Data, rest, ok = String(rest)
	case MsgData:
		m.Data, rest, ok = String(rest)
	case MsgRequest:
		var name []byte
		if name, rest, ok = String(rest); ok && len(rest) > 0 {
			m.Request, m.Payload, rest = string(name), rest[1:], nil
		} else {
			ok = false
		}
	case MsgEOF, MsgClose:
	default:
		return Message{}, fmt.Errorf("%w: number %d", ErrMalformed, m.Number)
	}
	if !ok || len(rest) != 0 {
		return Message{}, ErrMalformed
	}
	return m, nil
}

// String reads a string (RFC 4251, section 5): uint32 length and bytes.
func String(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// Window is the size of a terminal.
type Window struct{ Columns, Rows uint32 }

// PTY is the payload of "pty-req" (section 6.2): string TERM, uint32 columns, rows, width and height in
// pixels, string modes.
type PTY struct {
	Term string
	Window
	Modes []byte
}

// maxSide bounds a terminal; larger ones are a client's mistake, and would be the replay's.
const maxSide = 10_000

// ParsePTY decodes the payload of "pty-req".
func ParsePTY(b []byte) (PTY, error) {
	term, rest, ok := String(b)
	if !ok || len(rest) < 16 {
		return PTY{}, ErrMalformed
	}
	p := PTY{Term: string(term), Window: window(rest)}
	if p.Modes, rest, ok = String(rest[16:]); !ok || len(rest) != 0 {
		return PTY{}, ErrMalformed
	}
	return p, nil
}

// ParseWindow decodes the payload of "window-change" (section 6.7): four uint32.
func ParseWindow(b []byte) (Window, error) {
	if len(b) != 16 {
		return Window{}, ErrMalformed
	}
	return window(b), nil
}

func window(b []byte) Window {
	return Window{min(binary.BigEndian.Uint32(b), maxSide), min(binary.BigEndian.Uint32(b[4:]), maxSide)}
}

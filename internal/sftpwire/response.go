package sftpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Response is a decoded response.
type Response struct {
	Type   byte
	Code   uint32 // of Status
	Words  string
	Handle string
	Data   []byte
	Names  []string // of Name: the file names
}

// maxNames bounds the names that are decoded of one packet.
const maxNames = 10_000

// ParseResponse decodes a target's response as far as it is looked at.
func ParseResponse(p Packet) (Response, error) {
	if len(p) < headLen {
		return Response{}, ErrMalformed
	}
	r := Response{Type: p.Type()}
	d := decoder{b: p[headLen:]}
	switch r.Type {
	case Status:
		r.Code = d.uint32()
		if len(d.b) > 0 { // version 2 servers give no words
			r.Words = d.text()
		}
		d.rest()
	case Handle:
		r.Handle = d.text()
	case Data:
		r.Data = d.bytes()
	case Name:
		n := d.uint32()
		for i := uint32(0); i < n && i < maxNames && !d.bad; i++ {
			r.Names = append(r.Names, d.text())
			d.text()
			d.attrs()
		}
	case Attrs, ExtendedReply:
		d.rest()
	default:
		return r, fmt.Errorf("%w: type %d", ErrMalformed, r.Type)
	}
	if d.bad {
		return r, ErrMalformed
	}
	return r, nil
}

// EachName calls f for each name of a Name packet, and for the line that a listing would have of it; f may change
// what it gets, in place. A packet that cannot be followed to its end is ErrMalformed.
func EachName(p Packet, f func(name []byte)) error {
	if len(p) < headLen {
		return ErrMalformed
	}
	d := decoder{b: p[headLen:]}
	for n := d.uint32(); n > 0 && !d.bad; n-- {
		name, line := d.bytes(), d.bytes()
		if d.attrs(); !d.bad {
			f(name)
			f(line)
		}
	}
	if d.bad || len(d.b) != 0 {
		return ErrMalformed
	}
	return nil
}

// StatusPacket makes a Status with its length.
func StatusPacket(id, code uint32, words string) []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 4, 64+len(words)), Status), id)
	b = str(str(binary.BigEndian.AppendUint32(b, code), words), "en")
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// DataPacket makes a Data with its length.
func DataPacket(id uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 4, 16+len(data)), Data), id)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// SetID gives a packet with its length in front another number, in place.
func SetID(wire []byte, id uint32) { binary.BigEndian.PutUint32(wire[5:], id) }

// WithID gives a response another number; the copy has its length in front.
func WithID(p Packet, id uint32) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(p)), uint32(len(p)))
	b = append(b, p...)
	binary.BigEndian.PutUint32(b[5:], id)
	return b
}

// FilterVersion makes our VersionP of the target's, with the extensions that are understood.
func FilterVersion(p Packet) ([]byte, error) {
	d := decoder{b: p[1:]}
	if d.uint32() != Version || d.bad {
		return nil, errors.New("sftp: the target does not speak version 3")
	}
	out := binary.BigEndian.AppendUint32(append(make([]byte, 4), VersionP), Version)
	for len(d.b) > 0 {
		name, value := d.text(), d.text()
		if d.bad {
			return nil, ErrMalformed
		}
		if Known(name) {
			out = str(str(out, name), value)
		}
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

// InitPacket is the client's first packet, with its length.
func InitPacket() []byte { return []byte{0, 0, 0, 5, Init, 0, 0, 0, Version} }

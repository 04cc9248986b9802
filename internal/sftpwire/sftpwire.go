// Package sftpwire decodes packets of the SSH file transfer protocol, version 3
// (draft-ietf-secsh-filexfer-02), as far as its operations need to be judged, recorded and
// shown. It does no I/O.
package sftpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version is the one version that is spoken; OpenSSH knows no other.
const Version = 3

// MaxPacket bounds a packet, its length apart: what OpenSSH takes at most.
const MaxPacket = 256 << 10

// Types of packets (section 3).
const (
	Init     = 1
	VersionP = 2
	Open     = 3
	Close    = 4
	Read     = 5
	Write    = 6
	Lstat    = 7
	Fstat    = 8
	Setstat  = 9
	Fsetstat = 10
	Opendir  = 11
	Readdir  = 12
	Remove   = 13
	Mkdir    = 14
	Rmdir    = 15
	Realpath = 16
	Stat     = 17
	Rename   = 18
	Readlink = 19
	Symlink  = 20
	Extended = 200

	Status        = 101
	Handle        = 102
	Data          = 103
	Name          = 104
	Attrs         = 105
	ExtendedReply = 201
)

// Flags of Open (section 6.3).
const (
	FlagRead   = 0x01
	FlagWrite  = 0x02
	FlagAppend = 0x04
	FlagCreate = 0x08
	FlagTrunc  = 0x10
	FlagExcl   = 0x20
)

// Codes of Status (section 7).
const (
	OK               = 0
	EOF              = 1
	NoSuchFile       = 2
	PermissionDenied = 3
	Failure          = 4
	BadMessage       = 5
	Unsupported      = 8
)

// Extensions that are understood (OpenSSH's PROTOCOL, section 4). Those with one path, with two, and with a handle.
const (
	ExtPosixRename = "posix-rename@openssh.com"
	ExtHardlink    = "hardlink@openssh.com"
	ExtStatvfs     = "statvfs@openssh.com"
	ExtFstatvfs    = "fstatvfs@openssh.com"
	ExtFsync       = "fsync@openssh.com"
	ExtLsetstat    = "lsetstat@openssh.com"
	ExtLimits      = "limits@openssh.com"
)

// Known reports whether an extension is understood.
func Known(ext string) bool {
	switch ext {
	case ExtPosixRename, ExtHardlink, ExtStatvfs, ExtFstatvfs, ExtFsync, ExtLsetstat, ExtLimits:
		return true
	}
	return false
}

// ErrMalformed says that bytes are no packet.
var ErrMalformed = errors.New("sftp: malformed packet")

// Packet is one packet, its length apart: byte type, then uint32 id (but for Init and VersionP), then the rest.
type Packet []byte

// Type is the packet's type; a Packet is never empty.
func (p Packet) Type() byte { return p[0] }

// ID is the request's number.
func (p Packet) ID() uint32 {
	if len(p) < 5 {
		return 0
	}
	return binary.BigEndian.Uint32(p[1:])
}

// Framer cuts a stream into packets.
type Framer struct {
	store      []byte
	start, end int // of what is not cut yet
	wire       []byte
}

// Room is where n more bytes of the stream can be put; Filled says how many were.
func (f *Framer) Room(n int) []byte {
	if len(f.store)-f.end < n {
		store := f.store
		if need := f.end - f.start + n; need > len(store) {
			store = make([]byte, max(need, 2*len(store)))
		}
		f.end = copy(store, f.store[f.start:f.end])
		f.start, f.store = 0, store
	}
	return f.store[f.end : f.end+n]
}

// Filled takes in the first n bytes of what Room gave.
func (f *Framer) Filled(n int) { f.end += n }

// Add takes more of the stream.
func (f *Framer) Add(b []byte) { f.Filled(copy(f.Room(len(b)), b)) }

// Wire is the last packet of Next with its length in front, valid as long as that.
func (f *Framer) Wire() []byte { return f.wire }

// Next is the next whole packet; nil when there is none yet. It stays valid until the next Add or Room.
func (f *Framer) Next() (Packet, error) {
	buf := f.store[f.start:f.end]
	if len(buf) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(buf)
	if n < 1 || n > MaxPacket {
		return nil, fmt.Errorf("%w: a length of %d", ErrMalformed, n)
	}
	if uint32(len(buf)-4) < n {
		return nil, nil
	}
	f.wire = buf[: 4+n : 4+n]
	p := Packet(f.wire[4:])
	f.start += 4 + int(n)
	if t := p.Type(); t != Init && t != VersionP && len(p) < 5 {
		return nil, ErrMalformed
	}
	return p, nil
}

// Request is a decoded request; its bytes are borrowed from the packet.
type Request struct {
	Type      byte
	ID        uint32
	Path      string // of those that have one
	Path2     string // of Rename, Symlink (the link), ExtHardlink and ExtPosixRename
	Handle    string
	Offset    uint64
	Length    uint32 // of Read
	Data      []byte // of Write
	Flags     uint32 // of Open
	Rest      []byte // attributes, undecoded
	Extension string
}

// ParseRequest decodes a client's request.
func ParseRequest(p Packet) (Request, error) {
	r := Request{Type: p.Type(), ID: p.ID()}
	d := decoder{b: p[5:]}
	switch r.Type {
	case Open:
		r.Path, r.Flags = d.text(), d.uint32()
		r.Rest = d.rest()
	case Close, Fstat, Readdir:
		r.Handle = d.text()
	case Read:
		r.Handle, r.Offset, r.Length = d.text(), d.uint64(), d.uint32()
	case Write:
		r.Handle, r.Offset, r.Data = d.text(), d.uint64(), d.bytes()
	case Lstat, Stat, Opendir, Remove, Rmdir, Realpath, Readlink:
		r.Path = d.text()
	case Setstat, Mkdir:
		r.Path = d.text()
		r.Rest = d.rest()
	case Fsetstat:
		r.Handle = d.text()
		r.Rest = d.rest()
	case Rename, Symlink:
		r.Path, r.Path2 = d.text(), d.text()
	case Extended:
		r.Extension = d.text()
		switch r.Extension {
		case ExtPosixRename, ExtHardlink:
			r.Path, r.Path2 = d.text(), d.text()
		case ExtStatvfs:
			r.Path = d.text()
		case ExtLsetstat:
			r.Path = d.text()
			r.Rest = d.rest()
		case ExtFstatvfs, ExtFsync:
			r.Handle = d.text()
		default:
			d.rest()
		}
	default:
		return r, fmt.Errorf("%w: type %d", ErrMalformed, r.Type)
	}
	if d.bad || len(d.b) != 0 {
		return r, ErrMalformed
	}
	return r, nil
}

// Encode makes the packet of a request again, with its length.
func (r *Request) Encode() []byte {
	b := append(make([]byte, 4, 64+len(r.Path)+len(r.Path2)+len(r.Data)+len(r.Rest)), r.Type)
	b = binary.BigEndian.AppendUint32(b, r.ID)
	switch r.Type {
	case Extended:
		b = str(b, r.Extension)
	}
	switch {
	case r.Handle != "":
		b = str(b, r.Handle)
	case r.Extension == ExtLimits:
	default:
		b = str(b, r.Path)
	}
	switch {
	case r.Type == Open:
		b = binary.BigEndian.AppendUint32(b, r.Flags)
	case r.Type == Read:
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, r.Offset), r.Length)
	case r.Type == Write:
		b = binary.BigEndian.AppendUint64(b, r.Offset)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(r.Data))), r.Data...)
	case r.Type == Rename, r.Type == Symlink, r.Extension == ExtPosixRename, r.Extension == ExtHardlink:
		b = str(b, r.Path2)
	}
	b = append(b, r.Rest...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
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
	r := Response{Type: p.Type()}
	d := decoder{b: p[5:]}
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
	if len(p) < 5 {
		return ErrMalformed
	}
	d := decoder{b: p[5:]}
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

func str(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// decoder reads fields; bad says that one was cut off.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) bytes() []byte {
	n := d.uint32()
	if n > MaxPacket {
		d.bad = true
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) text() string { return string(d.bytes()) }

func (d *decoder) rest() []byte {
	out := d.b
	d.b = nil
	return out
}

// attrs skips file attributes (section 5): flags, then size, uid and gid, permissions, times, extended pairs.
func (d *decoder) attrs() {
	flags := d.uint32()
	for _, f := range []struct {
		bit  uint32
		size int
	}{{1, 8}, {2, 8}, {4, 4}, {8, 8}} {
		if flags&f.bit != 0 {
			d.take(f.size)
		}
	}
	if flags&0x80000000 != 0 {
		for n := d.uint32(); n > 0 && !d.bad; n-- {
			d.bytes()
			d.bytes()
		}
	}
}

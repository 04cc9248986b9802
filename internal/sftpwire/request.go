package sftpwire

import (
	"encoding/binary"
	"fmt"
)

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
	// Excess says that there are bytes behind the data of a Write. Servers pass over them, and clients made with some versions of
	// Go's package sftp send them, so they are no fault; Encode leaves them out.
	Excess bool
}

// ParseRequest decodes a client's request.
func ParseRequest(p Packet) (Request, error) {
	if len(p) < headLen {
		return Request{}, ErrMalformed
	}
	r := Request{Type: p.Type(), ID: p.ID()}
	d := decoder{b: p[headLen:]}
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
		r.Excess = len(d.rest()) > 0
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
		return r, fmt.Errorf("%w: a request of type %d with %d bytes, of which %d are left over", ErrMalformed, r.Type, len(p), len(d.b))
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

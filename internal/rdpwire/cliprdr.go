package rdpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of clipboard messages (MS-RDPECLIP 2.2.1).
const (
	ClipReady           = 1
	ClipFormats         = 2
	ClipFormatsAnswer   = 3
	ClipDataRequest     = 4
	ClipDataResponse    = 5
	ClipTempFolder      = 6
	ClipCapabilities    = 7
	ClipContentRequest  = 8
	ClipContentResponse = 9
	ClipLock            = 10
	ClipUnlock          = 11
)

// Flags of clipboard messages.
const (
	ClipOK    = 1
	ClipFail  = 2
	clipASCII = 4
)

// Clip is a clipboard message: a 16-bit kind, 16 bits of flags, a 32-bit length, and so many bytes.
type Clip struct {
	Kind, Flags uint16
	Body        []byte
}

// ParseClip reads a whole message. Some programs put zeros behind it.
func ParseClip(b []byte) (Clip, error) {
	c := cursor{b: b}
	m := Clip{Kind: c.u16(), Flags: c.u16()}
	m.Body = c.take(int(c.u32()))
	if c.bad {
		return m, c.err("rdp: clipboard")
	}
	if len(c.b) > 4 || m.Kind < ClipReady || m.Kind > ClipUnlock {
		return m, fmt.Errorf("rdp: clipboard message %d with %d bytes behind it", m.Kind, len(c.b))
	}
	return m, nil
}

// AppendClip appends a message.
func AppendClip(b []byte, m Clip) []byte {
	return append(put32(put16(put16(b, m.Kind), m.Flags), uint32(len(m.Body))), m.Body...)
}

// longNames is CB_USE_LONG_FORMAT_NAMES of the general capabilities (2.2.2.1.1.1).
const longNames = 2

// ClipLongNames reports whether capabilities say that names of formats have any length.
func ClipLongNames(body []byte) bool {
	c := cursor{b: body}
	n := c.u16()
	c.u16()
	for range min(int(n), 8) {
		kind, size := c.u16(), int(c.u16())
		set := cursor{b: c.take(size - 4)}
		if kind == 1 {
			set.u32() // version
			return set.u32()&longNames != 0
		}
	}
	return false
}

// Format is a format that a side offers.
type Format struct {
	ID   uint32
	Name string // "" for those of Windows itself
}

// maxFormats bounds a list; programs offer some 30.
const maxFormats = 512

// shortName is how many bytes a name has without long names.
const shortName = 32

// ParseFormats reads the body of a format list.
func ParseFormats(m Clip, long bool) ([]Format, error) {
	var out []Format
	for c := (cursor{b: m.Body}); len(c.b) >= 6 && len(out) < maxFormats; {
		f := Format{ID: c.u32()}
		switch {
		case long:
			end := 0
			for end+1 < len(c.b) && (c.b[end] != 0 || c.b[end+1] != 0) {
				end += 2
			}
			f.Name = Text(c.take(end))
			c.u16()
		case m.Flags&clipASCII != 0:
			name := c.take(shortName)
			for _, b := range name {
				if b == 0 {
					break
				}
				f.Name += string(rune(b))
			}
		default:
			f.Name = Text(c.take(shortName))
		}
		if c.bad {
			return nil, c.err("rdp: clipboard formats")
		}
		out = append(out, f)
	}
	return out, nil
}

// ClipNumber is the 32-bit number that bodies of requests begin with: a format, a stream.
func ClipNumber(body []byte) (uint32, error) {
	c := cursor{b: body}
	n := c.u32()
	return n, c.err("rdp: clipboard")
}

// Content is a request for a part of a file (2.2.5.3).
type Content struct {
	Stream, Index uint32
	Size          bool // asks for the size, not for bytes
	Offset        uint64
	Count         uint32
}

// ParseContent reads the body of a file contents request.
func ParseContent(body []byte) (Content, error) {
	c := cursor{b: body}
	r := Content{Stream: c.u32(), Index: c.u32()}
	flags := c.u32()
	r.Offset = uint64(c.u32()) | uint64(c.u32())<<32
	r.Count = c.u32()
	if flags != 1 && flags != 2 {
		return r, errors.New("rdp: a malformed request for a file")
	}
	r.Size = flags == 1
	return r, c.err("rdp: clipboard")
}

// File is a file that the clipboard carries.
type File struct {
	Name string // with its folders, by \
	Size uint64
	// Sized says that Size is the file's; otherwise nobody has said it.
	Sized bool
}

// A FILEDESCRIPTORW (2.2.5.2.3.1) has flags, attributes and times, the size in two halves at 64, and the name at 72.
const (
	fileLen    = 592
	fileSizeAt = 64
	fileNameAt = 72
	fileSized  = 0x40 // FD_FILESIZE
)

// ParseFiles reads a packed list of files, the data of the format FileGroupDescriptorW.
func ParseFiles(b []byte) ([]File, error) {
	c := cursor{b: b}
	n := int(c.u32())
	if c.bad || n > len(c.b)/fileLen {
		return nil, fmt.Errorf("rdp: a list of %d files: %w", n, ErrShort)
	}
	out := make([]File, 0, n)
	for range n {
		d := c.take(fileLen)
		size := uint64(binary.LittleEndian.Uint32(d[fileSizeAt:]))<<32 | uint64(binary.LittleEndian.Uint32(d[fileSizeAt+4:]))
		out = append(out, File{Name: Text(d[fileNameAt:]), Size: size, Sized: size > 0 || d[0]&fileSized != 0})
	}
	return out, nil
}

// AppendFormats appends the body of a format list in UTF-16.
func AppendFormats(b []byte, formats []Format, long bool) []byte {
	for _, f := range formats {
		b = put32(b, f.ID)
		if long {
			b = append(AppendText(b, f.Name), 0, 0)
		} else {
			b = appendFixed(b, f.Name, shortName)
		}
	}
	return b
}

// clipFlags are the capabilities that are passed on: long names of formats, files as streams, without paths, locked.
const clipFlags = longNames | 0x04 | 0x08 | 0x10

// TrimClipCapabilities gives the body of a message with what of its capabilities is passed on.
func TrimClipCapabilities(body []byte) []byte {
	const general, size, version = 1, 12, 2
	flags := uint32(0)
	c := cursor{b: body}
	n := c.u16()
	c.u16()
	for range min(int(n), 8) {
		kind, length := c.u16(), int(c.u16())
		set := cursor{b: c.take(length - 4)}
		if kind == general {
			set.u32()
			flags = set.u32() & clipFlags
		}
	}
	return put32(put32(put16(put16(put16(put16(nil, 1), 0), general), size), version), flags)
}

// AppendContent appends the body of a request for a part of a file.
func AppendContent(b []byte, r Content) []byte {
	flags := uint32(2)
	if r.Size {
		flags = 1
	}
	b = put32(put32(put32(b, r.Stream), r.Index), flags)
	return put32(put32(put32(b, uint32(r.Offset)), uint32(r.Offset>>32)), r.Count)
}

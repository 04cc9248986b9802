package sftpwire

import "encoding/binary"

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

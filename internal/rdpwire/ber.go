package rdpwire

import "errors"

// T.125's connect messages are in BER (X.690), all else of it in aligned PER (X.691). Of both only what RDP uses is here:
// definite lengths up to 65535.

var errBER = errors.New("rdp: malformed BER")

// ber reads one element with the tag (of one or two bytes) and gives its content.
func (c *cursor) ber(tag ...byte) ([]byte, error) {
	for _, t := range tag {
		if c.u8() != t {
			return nil, errBER
		}
	}
	n := int(c.u8())
	switch n {
	case 0x81:
		n = int(c.u8())
	case 0x82:
		n = int(c.be16())
	default:
		if n >= 0x80 {
			return nil, errBER
		}
	}
	v := c.take(n)
	if c.bad {
		return nil, errBER
	}
	return v, nil
}

func appendBER(b []byte, content []byte, tag ...byte) []byte {
	b = append(b, tag...)
	switch n := len(content); {
	case n < 0x80:
		b = append(b, byte(n))
	default:
		b = putBE(append(b, 0x82), uint16(n))
	}
	return append(b, content...)
}

// Tags of BER.
const (
	tagBool     = 1
	tagInt      = 2
	tagOctets   = 4
	tagEnum     = 10
	tagSequence = 0x30
)

// perLength reads a PER length: 7 bits, or 14 with the high bit set.
func (c *cursor) perLength() int {
	n := int(c.u8())
	if n&0x80 != 0 {
		n = (n&0x7f)<<8 | int(c.u8())
	}
	return n
}

func appendPERLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return putBE(b, uint16(n)|0x8000)
}

// MaxMCS is the most that one MCS data PDU carries: a PER length has 14 bits here.
const MaxMCS = 0x3fff

package grpc

import (
	"encoding/binary"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// Wire types of protobuf.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wireStart  = 3 // groups
	wireEnd    = 4
	wire32     = 5
)

// maxDepth bounds messages within messages; protobuf's own limit is 100.
const maxDepth = 64

// scrub masks a protobuf message. When n is 0, nothing was found. What cannot be
// read as a message, and has a find in it, cannot be put right and is an error.
func scrub(v *mask.Values, msg []byte, depth int) (out []byte, n int, err error) {
	out, n, ok := fields(v, msg, depth)
	if ok {
		return out, n, nil
	}
	if _, _, hits := v.Text(nil, mask.Named{}, nil, msg); hits > 0 {
		return nil, 0, refusal.New(refusal.Undecodable, "a gRPC message that is not protobuf has a value that is to be masked")
	}
	return nil, 0, nil
}

// fields masks the fields of a message; ok is false when it is none.
func fields(v *mask.Values, msg []byte, depth int) (out []byte, n int, ok bool) {
	last := 0 // what lies before has been copied to out
	for at := 0; at < len(msg); {
		key, size := binary.Uvarint(msg[at:])
		if size <= 0 || key>>3 == 0 || key>>3 > 1<<29-1 {
			return nil, 0, false
		}
		at += size
		switch key & 7 {
		case wireVarint:
			if _, size = binary.Uvarint(msg[at:]); size <= 0 {
				return nil, 0, false
			}
			at += size
		case wire64:
			at += 8
		case wire32:
			at += 4
		case wireStart, wireEnd:
		case wireBytes:
			length, size := binary.Uvarint(msg[at:])
			if size <= 0 || length > uint64(len(msg)-at-size) {
				return nil, 0, false
			}
			value := msg[at+size : at+size+int(length)]
			masked, hits := field(v, value, depth)
			if hits > 0 {
				out = append(out, msg[last:at]...)
				out = append(binary.AppendUvarint(out, uint64(len(masked))), masked...)
				last = at + size + int(length)
				n += hits
			}
			at += size + int(length)
		default:
			return nil, 0, false
		}
		if at > len(msg) {
			return nil, 0, false
		}
	}
	if n == 0 {
		return nil, 0, true
	}
	return append(out, msg[last:]...), n, true
}

// field masks a length-delimited field, which may be a text, a message, or bytes. A text
// may look like a message by chance, and a message like a text: when the
// detectors find anything in the whole of it, and it can be a text, it is masked as one, unless
// masking it as a message leaves nothing to be found.
func field(v *mask.Values, value []byte, depth int) (out []byte, n int) {
	if depth < maxDepth && len(value) > 1 {
		if inner, hits, ok := fields(v, value, depth+1); ok && hits > 0 {
			if _, _, left := v.Text(nil, mask.Named{}, nil, inner); left == 0 {
				return inner, hits
			}
		}
	}
	out, _, n = v.Text(nil, mask.Named{}, nil, value)
	if n > 0 && !utf8.Valid(value) && !printable(value) {
		// Bytes with a find in them: they cannot be changed in place, and are hidden whole.
		return []byte{}, n
	}
	return out, n
}

// printable reports whether nearly all of the bytes are visible ASCII: text in a single-byte encoding.
func printable(b []byte) bool {
	n := 0
	for _, c := range b {
		if c >= ' ' && c < 0x7F || c == '\n' || c == '\t' {
			n++
		}
	}
	return n*10 >= len(b)*9
}

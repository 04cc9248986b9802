package mask

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf8"
)

// outcome says what detectors did with a value.
type outcome uint8

const (
	same        outcome = iota
	changedPart         // the matches were replaced
	nulled              // the way null: the value becomes NULL
	hideWhole           // the value becomes its type's constant
)

// scrubber replaces what detectors find, each match by its spec's way.
type scrubber struct {
	ways *wayTable
	plan *Plan
}

// Scrub appends text to dst with everything replaced that the detectors find which apply
// to any text, and counts the matches. The way null redacts here.
func (p *Plan) Scrub(dst, text []byte) ([]byte, int) {
	if p == nil {
		return append(dst, text...), 0
	}
	return p.scrubAll(dst, text, &p.global)
}

func (p *Plan) scrubAll(dst, text []byte, w *wayTable) ([]byte, int) {
	s := scrubber{ways: w, plan: p}
	out, n, _ := s.plain(dst, text)
	if n == 0 {
		out = append(out, text...)
	}
	return out, n
}

// plain scrubs text that has no syntax of its own. Without a match nothing is appended.
// null says that one of the matches has the way null (and was redacted).
func (s *scrubber) plain(dst, t []byte) (out []byte, n int, null bool) {
	last := 0
	for {
		m, ok := s.ways.set.next(t, last)
		if !ok {
			break
		}
		dst = append(dst, t[last:m.start]...)
		dst = s.replace(dst, t[m.start:m.end], m.det)
		null = null || s.ways.spec[m.det].Way == WayNull
		last = m.end
		n++
	}
	if n > 0 {
		dst = append(dst, t[last:]...)
	}
	return dst, n, null
}

func (s *scrubber) replace(dst, v []byte, d detector) []byte {
	spec := s.ways.spec[d]
	switch {
	case spec.Way == WayPartial:
		return partialShape(dst, v, d, spec.KeepFirst, spec.KeepLast)
	case spec.Way == WayHash && s.plan.hasher != nil:
		return s.plan.hasher.appendText(dst, v)
	}
	return append(dst, redacted...)
}

// found only looks whether there is a match.
func (s *scrubber) found(t []byte) outcome {
	m, ok := s.ways.set.next(t, 0)
	switch {
	case !ok:
		return same
	case s.ways.spec[m.det].Way == WayNull:
		return nulled
	}
	return hideWhole
}

// text scrubs a value in text format.
func (s *scrubber) text(dst, val []byte, c, elem class) ([]byte, outcome) {
	switch c {
	case cJSON, cJSONB:
		return s.json(dst, val)
	case cBytea:
		return s.byteaText(dst, val)
	case cOpaque, cEnum:
		return dst, s.found(val)
	case cArray:
		if elem != cText && elem != cBpchar {
			return dst, s.foundInArray(val, elem)
		}
	}
	return s.inPlace(dst, val)
}

func (s *scrubber) inPlace(dst, val []byte) ([]byte, outcome) {
	out, n, null := s.plain(dst, val)
	switch {
	case n == 0:
		return dst, same
	case null:
		return dst, nulled
	}
	return out, changedPart
}

// foundInArray looks into an array whose elements cannot be changed in place.
func (s *scrubber) foundInArray(val []byte, elem class) outcome {
	if elem != cBytea {
		return s.found(val)
	}
	for {
		i := bytes.Index(val, []byte(`\x`))
		if i < 0 {
			return same
		}
		val = val[i+2:]
		n := 0
		for n < len(val) && isHex(val[n]) {
			n++
		}
		raw, _ := decodeHex(nil, val[:n])
		if utf8.Valid(raw) {
			if o := s.found(raw); o != same {
				return o
			}
		}
		val = val[n:]
	}
}

func (s *scrubber) byteaText(dst, val []byte) ([]byte, outcome) {
	raw, ok := decodeBytea(nil, val)
	if !ok || !utf8.Valid(raw) {
		return dst, same
	}
	out, o := s.inPlace(nil, raw)
	if o == changedPart {
		dst = hex.AppendEncode(append(dst, `\x`...), out)
	}
	return dst, o
}

// maxDepth bounds records within records in binary.
const maxDepth = 8

// binary scrubs a value in binary format.
func (s *scrubber) binary(dst, val []byte, t *Type, depth int) ([]byte, outcome) {
	info, elem := t.info()
	switch info.class {
	case cText, cBpchar, cXML:
		return s.inPlace(dst, val)
	case cJSON:
		return s.json(dst, val)
	case cJSONB:
		if len(val) == 0 {
			return dst, hideWhole
		}
		out, o := s.json(append(dst, val[0]), val[1:])
		if o != changedPart {
			out = dst
		}
		return out, o
	case cBytea:
		if !utf8.Valid(val) {
			return dst, same
		}
		return s.inPlace(dst, val)
	case cArray, cRecord:
		if depth >= maxDepth {
			return dst, hideWhole
		}
		var out []byte
		var o outcome
		if info.class == cArray {
			out, o = s.array(dst, val, elem, depth)
		} else {
			out, o = s.record(dst, val, depth)
		}
		if o != changedPart {
			out = dst
		}
		return out, o
	case cOpaque, cEnum, cUnknown:
		return dst, s.found(val)
	}
	return dst, same
}

// array scrubs a binary array (array_send): int32 dimensions, int32 flags,
// uint32 element type, int32 length and int32 lower bound for each dimension,
// then the elements, each with an int32 length, -1 for NULL.
func (s *scrubber) array(dst, val []byte, elem *Type, depth int) ([]byte, outcome) {
	if len(val) < 12 {
		return dst, hideWhole
	}
	dims := int(binary.BigEndian.Uint32(val))
	if dims > 6 || len(val) < 12+8*dims || binary.BigEndian.Uint32(val[8:]) != elem.OID {
		return dst, hideWhole
	}
	dst = append(dst, val[:12+8*dims]...)
	rest, all := val[12+8*dims:], same
	for len(rest) > 0 {
		var o outcome
		if dst, rest, o = s.field(dst, rest, elem, depth); o > changedPart {
			return dst, o
		}
		all = max(all, o)
	}
	return dst, all
}

// record scrubs a binary record (record_send): int32 fields, then for each its
// uint32 type and an int32 length, -1 for NULL, with the value.
func (s *scrubber) record(dst, val []byte, depth int) ([]byte, outcome) {
	if len(val) < 4 {
		return dst, hideWhole
	}
	dst = append(dst, val[:4]...)
	rest, all := val[4:], same
	for len(rest) > 0 {
		if len(rest) < 8 {
			return dst, hideWhole
		}
		t := Type{OID: binary.BigEndian.Uint32(rest)}
		dst = append(dst, rest[:4]...)
		var o outcome
		if dst, rest, o = s.field(dst, rest[4:], &t, depth); o > changedPart {
			return dst, o
		}
		all = max(all, o)
	}
	return dst, all
}

// field scrubs one length-prefixed value.
func (s *scrubber) field(dst, b []byte, t *Type, depth int) (out, rest []byte, o outcome) {
	if len(b) < 4 {
		return dst, nil, hideWhole
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	if n == -1 {
		return append(dst, b[:4]...), b[4:], same
	}
	if n < 0 || n > len(b)-4 {
		return dst, nil, hideWhole
	}
	val, rest := b[4:4+n], b[4+n:]
	at := len(dst)
	out, o = s.binary(append(dst, 0, 0, 0, 0), val, t, depth+1)
	if o == same {
		out = append(out, val...)
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	return out, rest, o
}

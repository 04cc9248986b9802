package mask

import (
	"strconv"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/sql"
)

// mode is what a Masker does with a value. The zero value gives NULL.
type mode uint8

const (
	modeNull mode = iota
	modeConstant
	modePartial
	modeHash
	modeDetect
)

// Masker masks the values of one result column. It is immutable and may be
// used by many sessions at once; its zero value makes everything NULL.
type Masker struct {
	plan  *Plan
	spec  *Spec // nil when only detectors at large apply
	mode  mode
	scrub *scrubber // modeDetect

	typ       Type
	class     class
	elem      class // of an array
	width     int   // characters that fit, 0 for no bound
	constText []byte
	constBin  []byte
	constNull bool // the type has no constant
}

// Hashes reports whether equal values become equal hashes.
func (m *Masker) Hashes() bool { return m != nil && m.spec != nil && m.spec.Way == WayHash }

// Masker gives what masks a result column's values, or nil when they may pass
// as they are. cols are the value's origins; direct says that the value is
// one origin's, unchanged (several columns then name the same value, a view's
// and its table's). A direct value keeps its spec's way. A value computed from
// a masked column is redacted whole (NULL when the spec's way is null), and so
// is every value of unknown origin while the plan masks any column; a caller
// who knows which columns it can come from gives those, with direct and unknown
// false. Specs with detectors only apply to all other values of types that
// hold text.
func (p *Plan) Masker(cols []sql.Column, direct, unknown bool, t Type) *Masker {
	if p.Empty() {
		return nil
	}
	spec, _, covered := p.CoversAny(cols)
	switch {
	case unknown && p.HasColumns(), covered && !direct:
		return p.whole(spec, t)
	case !covered:
		return p.detecting(nil, p.global, t)
	case len(spec.Detectors) > 0:
		var w wayTable
		w.fill(p.specSet(spec), spec)
		for d := detector(0); d < detCount; d++ {
			if p.global.set.has(d) {
				w.fill(1<<d, p.global.spec[d])
			}
		}
		return p.detecting(spec, w, t)
	}
	m := p.whole(spec, t)
	switch {
	case spec.Way == WayPartial && (m.class == cText || m.class == cBpchar):
		m.mode = modePartial
	case spec.Way == WayHash && p.hasher != nil && m.class.hashes():
		m.mode = modeHash
	}
	return m
}

func (p *Plan) specSet(s *Spec) detSet {
	for i := range p.specs {
		if &p.specs[i] == s {
			return p.dets[i]
		}
	}
	return 0
}

// whole makes a Masker that hides all of the value.
func (p *Plan) whole(spec *Spec, t Type) *Masker {
	m := p.newMasker(spec, t)
	m.mode = modeConstant
	if spec != nil && spec.Way == WayNull {
		m.mode = modeNull
	}
	return m
}

func (p *Plan) detecting(spec *Spec, w wayTable, t Type) *Masker {
	if w.set == 0 {
		return nil
	}
	m := p.newMasker(spec, t)
	if !m.class.scans() || m.class == cArray && !m.elem.scans() {
		return nil
	}
	m.mode, m.scrub = modeDetect, &scrubber{ways: &w, plan: p}
	return m
}

func (p *Plan) newMasker(spec *Spec, t Type) *Masker {
	info, elem := t.info()
	m := &Masker{plan: p, spec: spec, typ: t, class: info.class, constNull: !info.class.hasConstant()}
	if elem != nil {
		e, _ := elem.info()
		m.elem = e.class
	}
	m.constText, m.constBin = []byte(info.text), []byte(info.bin)
	switch {
	case info.class == cText && t.OID == 1043, info.class == cBpchar:
		if t.Typmod > 4 {
			m.width = int(t.Typmod - 4)
		}
		m.constText = m.fit(m.constText, 0)
		m.constBin = m.constText
	case info.class == cBit:
		m.bitConstant()
	}
	return m
}

// maxBits bounds the redact constant of bit(n).
const maxBits = 1 << 16

// bitConstant makes n zero bits of bit(n).
func (m *Masker) bitConstant() {
	n := int(m.typ.Typmod)
	if n <= 0 || n > maxBits {
		return
	}
	m.constText = make([]byte, n)
	for i := range m.constText {
		m.constText[i] = '0'
	}
	m.constBin = append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, make([]byte, (n+7)/8)...)
}

// scans reports whether detectors look into values of the class.
func (c class) scans() bool {
	switch c {
	case cText, cBpchar, cBytea, cJSON, cJSONB, cXML, cOpaque, cArray, cRecord, cEnum, cUnknown:
		return true
	}
	return false
}

func (c class) hashes() bool {
	switch c {
	case cText, cBpchar, cBytea, cJSON, cJSONB, cUUID, cInt2, cInt4, cInt8, cOID, cFloat4, cFloat8, cNumeric:
		return true
	}
	return false
}

// Spec is the spec that names the column, nil when there is none.
func (m *Masker) Spec() *Spec { return m.spec }

// HidesAll reports whether every value is masked, whatever it is.
func (m *Masker) HidesAll() bool { return m.mode != modeDetect }

// WholeColumns are the columns whose every value is masked: "2,5", counted from 1. n is how many there are, at gives what masks
// one, nil for nothing.
func WholeColumns(n int, at func(int) *Masker) string {
	var b []byte
	for i := range n {
		if m := at(i); m != nil && m.HidesAll() {
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(i+1), 10)
		}
	}
	return string(b)
}

// NeedsValue reports whether the result depends on the value. When it does
// not, Text and Binary may be given any value that is not nil.
func (m *Masker) NeedsValue() bool { return m.mode > modeConstant }

// Whole hides a value that cannot be looked at, such as one that is too long: the type's constant, or
// NULL. It appends to dst and returns it.
func (m *Masker) Whole(dst []byte, binary bool) (out []byte, null bool) {
	switch {
	case m.mode == modeNull || m.constNull:
		return dst, true
	case binary:
		return append(dst, m.constBin...), false
	}
	return append(dst, m.constText...), false
}

// Text masks a value in text format. A nil val is NULL and stays it. When
// changed is false the value is to be delivered as it is and dst is returned
// as it was; otherwise the new value is NULL, or what was appended to dst.
func (m *Masker) Text(dst, val []byte) (out []byte, null, changed bool) {
	return m.mask(dst, val, false)
}

// Binary is Text for a value in binary format.
func (m *Masker) Binary(dst, val []byte) (out []byte, null, changed bool) {
	return m.mask(dst, val, true)
}

func (m *Masker) mask(dst, val []byte, binary bool) (out []byte, null, changed bool) {
	if m == nil || val == nil {
		return dst, val == nil, false
	}
	ok := false
	switch m.mode {
	case modePartial:
		out, ok = m.fit(m.partial(dst, val), len(dst)), true
	case modeHash:
		out, ok = m.hash(dst, val, binary)
	case modeDetect:
		return m.detect(dst, val, binary)
	}
	if ok {
		return out, false, true
	}
	out, null = m.Whole(dst, binary)
	return out, null, true
}

// detect runs the detectors. A match may hide the whole value.
func (m *Masker) detect(dst, val []byte, binary bool) (out []byte, null, changed bool) {
	var o outcome
	if binary {
		out, o = m.scrub.binary(dst, val, &m.typ, 0)
	} else {
		out, o = m.scrub.text(dst, val, m.class, m.elem)
	}
	switch o {
	case same:
		return dst, false, false
	case changedPart:
		return m.fit(out, len(dst)), false, true
	case nulled:
		return dst, true, true
	}
	out, null = m.Whole(dst, binary)
	return out, null, true
}

// fit makes out[from:] fit varchar(n) or char(n).
func (m *Masker) fit(out []byte, from int) []byte {
	if m.width == 0 {
		return out
	}
	i, n := from, 0
	for i < len(out) && n < m.width {
		_, size := utf8.DecodeRune(out[i:])
		i += size
		n++
	}
	out = out[:i]
	if m.class == cBpchar {
		for ; n < m.width; n++ {
			out = append(out, ' ')
		}
	}
	return out
}

package mask

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// value is how a value that a spec names by a JSON path or a field is masked.
type value struct {
	index  int
	spec   *Spec
	text   *Masker // whole values; nil when the spec has detectors
	number *Masker
	scrub  *scrubber // when the spec has detectors: its own, then those that apply to any text
}

// Named says which spec a value is masked by. The zero value is none: the
// detectors that apply to any text are run.
type Named struct{ v *value }

// Whole reports whether the value is hidden whatever it is, and so also when
// it is an object or a list.
func (n Named) Whole() bool { return n.v != nil && n.v.scrub == nil }

// Set reports whether a spec names the value.
func (n Named) Set() bool { return n.v != nil }

// NeedsValue reports whether the result depends on the value.
func (n Named) NeedsValue() bool { return !n.Whole() || n.v.text.NeedsValue() }

// Null reports whether the value becomes null.
func (n Named) Null() bool { return n.Whole() && n.v.spec.Way == WayNull }

// Hidden is what stands for a text that is hidden whole, whatever it is.
func (n Named) Hidden() string {
	if n.Whole() {
		return constant(n.v.spec)
	}
	return redacted
}

// constant is what stands for a named text that is hidden whole.
func constant(s *Spec) string {
	switch s.Way {
	case WayBase64:
		return base64.StdEncoding.EncodeToString([]byte(redacted))
	case WayEmpty:
		return ""
	}
	return redacted
}

// field is one pattern of Spec.Fields, in lower case.
type field struct {
	pattern string
	value   *value
}

// addNamed prepares what the spec at i names by JSON path and field.
func (p *Plan) addNamed(i int) error {
	s := &p.specs[i]
	p.values = append(p.values, nil)
	if len(s.JSON) == 0 && len(s.Fields) == 0 {
		return nil
	}
	v := &value{index: i, spec: s}
	p.values[i] = v
	for _, f := range s.Fields {
		if f == "" || strings.ContainsAny(f, "\r\n\x00") {
			return fmt.Errorf("fields: %q is not a name", f)
		}
		p.fields = append(p.fields, field{strings.ToLower(f), v})
	}
	for _, j := range s.JSON {
		path, err := ParseJSONPath(j)
		if err != nil {
			return err
		}
		if p.paths == nil {
			p.paths = &Paths{}
		}
		if err := p.paths.add(path, v); err != nil {
			return err
		}
	}
	return nil
}

// finish makes the maskers, once all specs and so all detectors are known.
func (p *Plan) finish() {
	p.large = scrubber{ways: &p.global, plan: p}
	for _, v := range p.values {
		if v == nil {
			continue
		}
		if len(v.spec.Detectors) > 0 {
			var w wayTable
			w.fill(p.dets[v.index], v.spec)
			for d := detector(0); d < detCount; d++ {
				if p.global.set.has(d) {
					w.fill(1<<d, p.global.spec[d])
				}
			}
			v.scrub = &scrubber{ways: &w, plan: p}
			continue
		}
		v.text = p.wholeValue(v.spec, TextType, modePartial)
		v.number = p.wholeValue(v.spec, Type{OID: 701}, modeConstant)
	}
}

func (p *Plan) wholeValue(s *Spec, t Type, partial mode) *Masker {
	m := p.whole(s, t)
	switch {
	case s.Way == WayPartial:
		m.mode = partial
	case s.Way == WayHash && p.hasher != nil:
		m.mode = modeHash
	case (s.Way == WayBase64 || s.Way == WayEmpty) && t == TextType:
		m.constText = []byte(constant(s))
		m.constBin = m.constText
	}
	return m
}

// HasFields reports whether any spec names fields, HasJSON whether any has JSON
// paths, HasText whether detectors run on any text.
func (p *Plan) HasFields() bool { return p != nil && len(p.fields) > 0 }

// HasJSON reports whether any spec has JSON paths.
func (p *Plan) HasJSON() bool { return p != nil && p.paths != nil }

// HasText reports whether any detector runs on any text.
func (p *Plan) HasText() bool { return p != nil && p.global.set != 0 }

// Paths are the plan's JSON paths, nil without.
func (p *Plan) Paths() *Paths {
	if p == nil {
		return nil
	}
	return p.paths
}

// Content reports whether the plan asks anything of content that is not SQL.
func (p *Plan) Content() bool { return p.HasFields() || p.HasJSON() || p.HasText() }

// PassOpaque reports whether content that cannot be looked into may pass: every spec
// with JSON paths or with detectors for any text says so. Specs of columns and of fields are not about it.
func (p *Plan) PassOpaque() bool {
	return p.pass(func(s *Spec) bool { return len(s.JSON) > 0 || len(s.Columns)+len(s.Fields) == 0 })
}

// PassText reports whether text that is not JSON may pass, once the detectors
// have run: every spec with JSON paths says so.
func (p *Plan) PassText() bool { return p.pass(func(s *Spec) bool { return len(s.JSON) > 0 }) }

func (p *Plan) pass(about func(*Spec) bool) bool {
	if p == nil {
		return true
	}
	for i := range p.specs {
		if s := &p.specs[i]; about(s) && s.Opaque != OpaqueAllow {
			return false
		}
	}
	return true
}

// Field gives what masks a form field, query parameter, header field or cookie.
func (p *Plan) Field(name string) Named {
	if !p.HasFields() {
		return Named{}
	}
	name = strings.ToLower(name)
	for _, f := range p.fields {
		if globText(f.pattern, name) {
			return Named{f.value}
		}
	}
	return Named{}
}

// globText matches with "*" for any characters. Its time is linear in
// len(pattern) × len(s).
func globText(pattern, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// Values masks the values of one stream. It keeps a buffer, and so belongs to
// one user at a time. The zero value, and that of a nil plan, masks nothing.
type Values struct {
	plan    *Plan
	scratch []byte
}

// Values makes what masks the values of one stream.
func (p *Plan) Values() Values { return Values{plan: p} }

// Text masks a text that stands under a name (empty for none; some detectors go
// by the name). It appends to dst; when n is 0 nothing changed and nothing was
// appended. null says that the value is to become null, where there is such a
// thing; what was appended is for where there is none.
func (v *Values) Text(dst []byte, by Named, name, val []byte) (out []byte, null bool, n int) {
	if by.Whole() {
		out, null, _ = by.v.text.Text(dst, val)
		if null {
			out = append(out, redacted...)
		}
		return out, null, 1
	}
	s := v.scrubber(by)
	switch {
	case s == nil:
		return dst, false, 0
	case len(name) == 0:
		out, n, null = s.plain(dst, val)
		return out, null, n
	}
	return v.named(s, dst, name, val)
}

// Number masks a JSON number's text. out is JSON when n is not 0: a number for a
// number that is hidden whole, a string for one that a detector found.
func (v *Values) Number(dst []byte, by Named, name, val []byte) (out []byte, null bool, n int) {
	if by.Whole() {
		out, null, _ = by.v.number.Text(dst, val)
		return out, null, 1
	}
	s := v.scrubber(by)
	if s == nil {
		return dst, false, 0
	}
	out, null, n = v.named(s, append(dst, '"'), name, val)
	if n == 0 {
		return dst, false, 0
	}
	return append(out, '"'), null, n
}

// scrubber is nil when no detector is to be run.
func (v *Values) scrubber(by Named) *scrubber {
	switch {
	case by.v != nil:
		return by.v.scrub
	case v.plan == nil || v.plan.global.set == 0:
		return nil
	}
	return &v.plan.large
}

// maxName bounds how much of a name detectors see.
const maxName = 256

// named scrubs val as it stands behind its name, so that the name can tell what it is.
func (v *Values) named(s *scrubber, dst, name, val []byte) (out []byte, null bool, n int) {
	t := append(v.scratch[:0], '"')
	t = append(append(t, name[max(0, len(name)-maxName):]...), `":"`...)
	from := len(t)
	t = append(t, val...)
	v.scratch = t
	last := from
	for at := 0; ; {
		m, ok := s.ways.set.next(t, at)
		if !ok {
			break
		}
		at = m.end
		if m.end <= from {
			continue
		}
		m.start = max(m.start, from)
		dst = append(dst, t[last:m.start]...)
		dst = s.replace(dst, t[m.start:m.end], m.det)
		null = null || s.ways.spec[m.det].Way == WayNull
		last = m.end
		n++
	}
	if n > 0 {
		dst = append(dst, t[last:]...)
	}
	return dst, null, n
}

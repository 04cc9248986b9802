package multipart

import (
	"bytes"

	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// open makes what masks a part.
func (m *Masker) open(p Part) (layer.Masker, error) {
	if by := m.plan.Field(p.Name); p.Name != "" && by.Set() {
		return &value{values: m.plan.Values(), by: by, name: p.Name}, nil
	}
	return m.inner(p)
}

// content gives a part's bytes to what masks it, up to the next delimiter. At first the
// buffer begins with the CRLF of the empty line before the part: lead.
func (m *Masker) content(dst []byte) (out []byte, more bool, err error) {
	i, err := m.find()
	if err != nil {
		return dst, false, err
	}
	end := i
	if i < 0 {
		end = len(m.buf) - len(m.delim) + 1
	}
	if end > m.lead {
		if dst, err = m.part.Write(dst, m.buf[m.lead:end]); err != nil {
			return dst, false, err
		}
		if i < 0 {
			m.drop(end)
			m.lead = 0
		}
	}
	if i < 0 {
		return dst, false, nil
	}
	if dst, err = m.part.Close(dst); err != nil {
		return dst, false, err
	}
	m.masked += m.part.Masked()
	m.part = nil
	m.drop(i + len(m.delim))
	m.state = delimited
	return append(dst, m.delim...), true, nil
}

// value masks a field that a spec names.
type value struct {
	values mask.Values
	by     mask.Named
	name   string
	buf    []byte
	over   bool
	masked int
}

func (v *value) Masked() int { return v.masked }

func (v *value) Write(dst, piece []byte) ([]byte, error) {
	if v.over = v.over || len(v.buf)+len(piece) > maxValue; !v.over {
		v.buf = append(v.buf, piece...)
	}
	return dst, nil
}

func (v *value) Close(dst []byte) ([]byte, error) {
	if v.over {
		v.masked++
		return append(dst, mask.Hidden...), nil
	}
	if bytes.IndexByte(v.buf, 0) >= 0 && !v.by.Whole() {
		return dst, refusal.New(refusal.Charset, "a field has zero bytes")
	}
	out, _, n := v.values.Text(dst, v.by, []byte(v.name), v.buf)
	if n == 0 {
		return append(dst, v.buf...), nil
	}
	v.masked += n
	return out, nil
}

package text

import (
	"bytes"
	"html"
	"strconv"

	"dragoman.dev/dragoman/internal/mask"
)

// view is a text as a reader of it sees it: for markup, with character references
// undone and without tags that do not part words; in any text, with \u0040 and \x40 undone, as
// scripts have them. at says where each byte stands in the raw text.
type view struct {
	plain  []byte
	at     []int32 // for each byte of plain, its place; one more for the end
	skips  []skip
	same   bool // plain is the raw text
	markup bool
}

// skip is a raw range that the view leaves out.
type skip struct{ from, to int32 }

// of looks at a raw text. What it gives is borrowed until the next call.
func (v *view) of(raw []byte, markup bool) []byte {
	v.markup = markup
	v.same = (!markup || bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, '<') < 0) &&
		!bytes.Contains(raw, []byte(`\u00`)) && !bytes.Contains(raw, []byte(`\x`))
	if v.same {
		return raw
	}
	v.plain, v.at, v.skips = v.plain[:0], v.at[:0], v.skips[:0]
	for i := 0; i < len(raw); {
		n := 0
		switch b := raw[i]; {
		case b == '\\':
			n = v.escape(raw, i)
		case !markup:
		case b == '&':
			n = v.reference(raw, i)
		case b == '<':
			n = inlineTag(raw[i:])
			if n > 0 {
				v.skips = append(v.skips, skip{int32(i), int32(i + n)})
			}
		case b == ']':
			if n = len("]]>"); !bytes.HasPrefix(raw[i:], []byte("]]>")) {
				n = 0
			} else {
				v.skips = append(v.skips, skip{int32(i), int32(i + n)})
			}
		}
		if n == 0 {
			v.plain, v.at = append(v.plain, raw[i]), append(v.at, int32(i))
			n = 1
		}
		i += n
	}
	v.at = append(v.at, int32(len(raw)))
	return v.plain
}

// escape takes \u00XX or \xXX of a visible ASCII character at i; 0 when there is none.
func (v *view) escape(raw []byte, i int) int {
	n := 4
	if bytes.HasPrefix(raw[i:], []byte(`\u00`)) {
		n = 6
	} else if !bytes.HasPrefix(raw[i:], []byte(`\x`)) {
		return 0
	}
	if i+n > len(raw) {
		return 0
	}
	c, err := strconv.ParseUint(string(raw[i+n-2:i+n]), 16, 8)
	if err != nil || c <= ' ' || c >= 0x7F {
		return 0
	}
	v.plain, v.at = append(v.plain, byte(c)), append(v.at, int32(i))
	return n
}

// maxReference bounds a character reference: the longest name of HTML has 33 bytes.
const maxReference = 34

// reference takes a character reference at i; 0 when there is none.
func (v *view) reference(raw []byte, i int) int {
	n := i + 1
	for n < len(raw) && n-i < maxReference && (raw[n] == '#' && n == i+1 || isAlnum(raw[n])) {
		n++
	}
	if n == i+1 {
		return 0
	}
	if n < len(raw) && raw[n] == ';' {
		n++
	}
	in := string(raw[i:n])
	out := html.UnescapeString(in)
	if out == in {
		return 0
	}
	for k := range len(out) {
		v.plain, v.at = append(v.plain, out[k]), append(v.at, int32(i))
	}
	return n - i
}

func isAlnum(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// Bounds of what is looked at to find a tag's or comment's end.
const maxTag = 1024

// inlineTag is the length of a tag, comment or CDATA mark that does not part
// words, 0 when there is none.
func inlineTag(t []byte) int {
	switch {
	case bytes.HasPrefix(t, []byte("<![CDATA[")):
		return len("<![CDATA[")
	case bytes.HasPrefix(t, []byte("<!--")):
		if i := bytes.Index(t[:min(len(t), maxTag)], []byte("-->")); i > 0 {
			return i + 3
		}
		return 0
	}
	n := 1
	if n < len(t) && t[n] == '/' {
		n++
	}
	from := n
	for n < len(t) && n-from < 10 && isAlnum(t[n]) {
		n++
	}
	if n >= len(t) || !inlineName(string(bytes.ToLower(t[from:n]))) {
		return 0
	}
	if i := bytes.IndexByte(t[n:min(len(t), maxTag)], '>'); i >= 0 {
		return n + i + 1
	}
	return 0
}

func inlineName(s string) bool {
	switch s {
	case "b", "i", "u", "s", "em", "strong", "mark", "span", "wbr", "font", "small", "big", "sub", "sup", "code", "tt", "ins", "del", "bdi", "bdo", "highlight", "hl":
		return true
	}
	return false
}

// raw is where the byte at i of the view stands; rawEnd is where the raw text behind the byte before i goes on.
func (v *view) raw(i int) int {
	if v.same {
		return i
	}
	return int(v.at[i])
}

func (v *view) rawEnd(i int) int {
	if v.same || i == 0 {
		return i
	}
	end := v.at[i]
	// Bytes of one reference have one place: a match may end among them.
	for k := i; k < len(v.at)-1 && v.at[k] == v.at[i-1]; k++ {
		end = v.at[k+1]
	}
	return int(end)
}

// replace appends what is shown instead of a match, and behind it the tags that were in it.
func (v *view) replace(dst []byte, plan *mask.Plan, t []byte, m mask.Match, raw []byte) []byte {
	if v.same {
		return plan.ReplaceMatch(dst, raw, m)
	}
	shown := plan.ReplaceMatch(nil, t[m.Start:m.End], m)
	if v.markup {
		shown = []byte(html.EscapeString(string(shown)))
	}
	dst = append(dst, shown...)
	from, to := v.at[m.Start], int32(v.rawEnd(m.End))
	for _, s := range v.skips {
		if s.from >= from && s.to <= to {
			dst = append(dst, raw[max(0, int(s.from-to)+len(raw)):max(0, int(s.to-to)+len(raw))]...)
		}
	}
	return dst
}

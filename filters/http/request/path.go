package request

import (
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
)

const featureAmbiguous = action.FeatureAmbiguous

// target takes the request target apart (RFC 9112, section 3.2: origin-form, or "*" with OPTIONS).
func (r *Request) target(t string) error {
	if len(t) > r.lim.Target {
		return &Refusal{414, "long_target", "path and query are too long"}
	}
	if t == "*" && r.Method == "OPTIONS" {
		r.Path = t
		return nil
	}
	if !strings.HasPrefix(t, "/") {
		return refuse("bad_path", "the request target must be a path; the absolute form does not pass")
	}
	for i := 0; i < len(t); i++ {
		if t[i] <= ' ' || t[i] >= 0x7F || t[i] == '#' || t[i] == '\\' {
			return refuse("bad_path", "path and query may only have visible ASCII, and neither # nor a backslash")
		}
	}
	path, query, _ := strings.Cut(t, "?")
	if err := r.path(path); err != nil {
		return err
	}
	r.RawQuery = query
	return r.query(query)
}

// path normalises (RFC 3986, sections 6.2.2 and 5.2.4) and merges empty segments.
func (r *Request) path(p string) error {
	if plainPath(p) {
		r.Path = p
		return nil
	}
	norm, err := r.escapes(p)
	if err != nil {
		return err
	}
	var out []string
	segments := strings.Split(norm[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		if err := r.segment(s); err != nil {
			return err
		}
		switch {
		case s == "." || s == "..":
			r.Features["dot_segments"] = true
			if s == ".." {
				if len(out) == 0 {
					return refuse("bad_path", "the path leads out of the root")
				}
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		case s == "" && !last:
			r.Features["merged_slashes"] = true
		default:
			out = append(out, s)
		}
	}
	r.Path = "/" + strings.Join(out, "/")
	return nil
}

// plainPath reports whether a path is normal already, and has nothing that is odd: most are so.
func plainPath(p string) bool {
	for i := 0; i < len(p); i++ {
		switch b := p[i]; {
		case b == '/' && i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.'), b == ';' || !pathByte(b):
			return false
		}
	}
	return true
}

// segment refuses what only looks like another segment, and notes what may be read in two ways.
func (r *Request) segment(s string) error {
	bare, _, params := strings.Cut(s, ";")
	if params {
		if bare == "." || bare == ".." {
			return refuse("bad_path", "a dot segment has a parameter")
		}
		r.ambiguous("path parameter")
	}
	if !strings.Contains(s, "%") {
		return nil
	}
	for _, sep := range []string{"%2F", "%5C"} {
		if strings.Contains(s, sep) {
			r.Features[action.FeatureEncodedSlash] = true
		}
	}
	parts := strings.FieldsFunc(strings.NewReplacer("%2F", "/", "%5C", "/", "%3B", ";").Replace(s), func(c rune) bool { return c == '/' })
	for _, part := range parts {
		if bare, _, _ := strings.Cut(part, ";"); bare == "." || bare == ".." {
			return refuse("bad_path", "a dot segment is behind an encoded slash")
		}
	}
	if strings.Contains(s, "%3B") {
		r.ambiguous("encoded path parameter")
	}
	return nil
}

// escapes makes one form of all escapes: unreserved characters plain, hex in
// upper case, and what may not stand plain in a path escaped.
func (r *Request) escapes(p string) (string, error) {
	var b strings.Builder
	plain := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c != '%' {
			plain = append(plain, c)
			writeByte(&b, c, pathByte(c))
			continue
		}
		if i+2 >= len(p) || unhex(p[i+1]) < 0 || unhex(p[i+2]) < 0 {
			return "", refuse("bad_path", "the path has a % that is not followed by two hexadecimal digits")
		}
		c = byte(unhex(p[i+1])<<4 | unhex(p[i+2]))
		if c < ' ' || c == 0x7F {
			return "", refuse("bad_path", "the path has an encoded control character")
		}
		if c == '%' && i+4 < len(p) && unhex(p[i+3]) >= 0 && unhex(p[i+4]) >= 0 {
			r.ambiguous("doubly encoded path")
		}
		plain = append(plain, c)
		writeByte(&b, c, unreserved(c))
		i += 2
	}
	if !utf8.Valid(plain) {
		return "", refuse("bad_path", "the path is not UTF-8")
	}
	if strings.ContainsAny(string(plain), "\uFF0E\uFF0F\uFF3C\u2215\u2044\u2024") {
		r.ambiguous("a character that some take for a slash or a dot")
	}
	return b.String(), nil
}

func writeByte(b *strings.Builder, c byte, plain bool) {
	const digits = "0123456789ABCDEF"
	if plain {
		b.WriteByte(c)
		return
	}
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// pathByte reports whether c may stand plain in a path: pchar and "/".
func pathByte(c byte) bool { return unreserved(c) || strings.IndexByte("/:@!$&'()*+,;=", c) >= 0 }

func unhex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

package header

import (
	"strings"

	"dragoman.dev/dragoman/internal/mask"
)

// maskPairs masks "a=b; c=d".
func maskPairs(plan *mask.Plan, v *mask.Values, s, sep string) (string, int) {
	parts := strings.Split(s, sep)
	n := 0
	for i, p := range parts {
		var hits int
		parts[i], hits = maskCookie(plan, v, p)
		n += hits
	}
	return strings.Join(parts, sep), n
}

// maskSetCookie masks the cookie itself, and runs the detectors on its attributes.
func maskSetCookie(plan *mask.Plan, v *mask.Values, s string) (string, int) {
	cookie, attributes, found := strings.Cut(s, ";")
	cookie, n := maskCookie(plan, v, cookie)
	if !found {
		return cookie, n
	}
	out, _, hits := v.Text(nil, mask.Named{}, nil, []byte(attributes))
	if hits > 0 {
		attributes = clean(out)
	}
	return cookie + ";" + attributes, n + hits
}

// maskCookie masks one cookie's value, plain or escaped as in a URL.
func maskCookie(plan *mask.Plan, v *mask.Values, s string) (string, int) {
	name, value, found := strings.Cut(s, "=")
	if !found {
		name, value = "", s
	}
	bare := strings.TrimSpace(name)
	inner := strings.Trim(strings.TrimSpace(value), `"`)
	by := plan.Field(bare)
	out, _, n := v.Text(nil, by, []byte(bare), []byte(inner))
	if n == 0 {
		if plain := unescape(inner); plain != inner {
			out, _, n = v.Text(nil, by, []byte(bare), []byte(plain))
		}
	}
	if n == 0 {
		return s, 0
	}
	masked := cookieValue(out)
	if !found {
		return masked, n
	}
	return name + "=" + masked, n
}

// cookieValue keeps the characters that a cookie's value may have (RFC 6265, cookie-octet).
func cookieValue(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c <= ' ' || c >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\' {
			c = '_'
		}
		out = append(out, c)
	}
	return string(out)
}

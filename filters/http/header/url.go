package header

import (
	"net/url"
	"strings"

	"dragoman.dev/dragoman/internal/mask"
)

// Target masks a request target or reference ("/path?query#fragment") for the
// record: query parameters by name, and what the detectors find.
func Target(plan *mask.Plan, target string) (string, int) {
	if !plan.HasFields() && !plan.HasText() {
		return target, 0
	}
	v := plan.Values()
	return maskURL(plan, &v, target)
}

// Query masks a query string or form body without its "?".
func Query(plan *mask.Plan, query string) (string, int) {
	v := plan.Values()
	return maskQuery(plan, &v, query)
}

// maskURL masks what stands behind each "?" and "#" as parameters, and what stands before the first as text. There may be
// more than one: a list of links, a path within a fragment.
func maskURL(plan *mask.Plan, v *mask.Values, s string) (string, int) {
	before, rest := s, ""
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		before, rest = s[:i], s[i:]
	}
	path, _, n := v.Text(nil, mask.Named{}, nil, []byte(before))
	if n > 0 {
		before = clean(path)
	}
	var b strings.Builder
	b.WriteString(before)
	for rest != "" {
		mark := rest[0]
		query := rest[1:]
		if i := strings.IndexAny(query, "?#"); i >= 0 {
			query, rest = query[:i], query[i:]
		} else {
			rest = ""
		}
		query, hits := maskQuery(plan, v, query)
		n += hits
		b.WriteByte(mark)
		b.WriteString(query)
	}
	return b.String(), n
}

func maskQuery(plan *mask.Plan, v *mask.Values, query string) (string, int) {
	if !strings.Contains(query, "=") {
		return maskPart(v, "", query)
	}
	var b strings.Builder
	n := 0
	for pair := range strings.SplitAfterSeq(query, "&") {
		pair, end := strings.CutSuffix(pair, "&")
		name, value, found := strings.Cut(pair, "=")
		plain := unescape(name)
		plain = plain[strings.LastIndexAny(plain, "/&;, ")+1:] // "#/done;token=…"
		name, hits := maskPart(v, "", name)
		n += hits
		b.WriteString(name)
		if found {
			value, hits = maskParam(plan, v, plain, value)
			n += hits
			b.WriteByte('=')
			b.WriteString(value)
		}
		if end {
			b.WriteByte('&')
		}
	}
	return b.String(), n
}

// maskParam masks one parameter's value, which is escaped.
func maskParam(plan *mask.Plan, v *mask.Values, name, value string) (string, int) {
	plain := unescape(value)
	out, _, n := v.Text(nil, plan.Field(name), []byte(name), []byte(plain))
	if n > 0 {
		return url.QueryEscape(string(out)), n
	}
	if plain == value {
		return value, 0
	}
	if out, n := maskPart(v, name, value); n > 0 { // a value within a value: still escaped
		return out, n
	}
	if !strings.ContainsAny(plain, "?#") {
		return value, 0
	}
	inner, n := maskURL(plan, v, plain) // a location within it, which is shorter
	if n == 0 {
		return value, 0
	}
	return url.QueryEscape(inner), n
}

func maskPart(v *mask.Values, name, s string) (string, int) {
	out, _, n := v.Text(nil, mask.Named{}, []byte(name), []byte(unescape(s)))
	if n == 0 {
		return s, 0
	}
	return url.QueryEscape(string(out)), n
}

// unescape undoes %XX and + as far as they are well-formed.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b = append(b, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func hex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

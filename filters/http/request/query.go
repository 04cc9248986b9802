package request

import (
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
)

// query takes parameters apart as forms do: & between them, + for a blank.
func (r *Request) query(q string) error {
	pairs, what, ok := formPairs(q, r.lim.Params)
	if !ok {
		return refuse("long_query", "the query has too many parameters")
	}
	if what != "" {
		r.ambiguous("query: " + what)
	}
	r.Query = pairs
	r.overrides(pairs)
	return nil
}

// overrides notes parameters that frameworks take for the method.
func (r *Request) overrides(pairs []Pair) {
	for _, p := range pairs {
		switch strings.ToLower(p.Name) {
		case "_method", "x-http-method-override":
			r.Features[action.FeatureMethodOverride] = p.Value
		}
	}
}

// formPairs decodes application/x-www-form-urlencoded. ambiguous says what may be read in two ways.
func formPairs(s string, limit int) (pairs []Pair, ambiguous string, ok bool) {
	if s == "" {
		return nil, "", true
	}
	note := func(what string) {
		if ambiguous == "" {
			ambiguous = what
		}
	}
	for part := range strings.SplitSeq(s, "&") {
		if part == "" {
			continue
		}
		if len(pairs) == limit {
			return nil, "", false
		}
		if _, behind, found := strings.Cut(part, ";"); found && strings.Contains(behind, "=") {
			note("a semicolon that may part parameters")
		}
		name, value, _ := strings.Cut(part, "=")
		n, ok1 := formText(name)
		v, ok2 := formText(value)
		if !ok1 || !ok2 {
			note("a value that is not well-formed")
		}
		if i := strings.IndexByte(n, 0); i >= 0 {
			note("a zero byte")
		}
		pairs = append(pairs, Pair{n, v})
	}
	return pairs, ambiguous, true
}

// formText undoes + and %XX; ok is false when the escapes are malformed or the result is not UTF-8.
func formText(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, utf8.ValidString(s)
	}
	ok := true
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			ok = ok && s[i] != '%'
			b = append(b, s[i])
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), ok && utf8.Valid(b)
}

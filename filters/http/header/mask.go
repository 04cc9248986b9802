package header

import (
	"strings"

	"dragoman.dev/dragoman/internal/mask"
)

// Mask masks header fields of a request or response: those whose name a spec
// has in Fields, cookies by their names, query strings (Location, Link,
// Referer …) by their parameters' names, and everything by the detectors. The list given is
// not changed; the one given back may share fields with it. n counts what was masked.
//
// Fields that framing and caching go by are left alone (see structural).
func Mask(plan *mask.Plan, l List) (out List, n int) {
	if !plan.HasFields() && !plan.HasText() {
		return l, 0
	}
	v := plan.Values()
	out = l
	for i := range l {
		value, hits := maskField(plan, &v, l[i])
		if hits == 0 {
			continue
		}
		if n == 0 {
			out = append(List(nil), l...)
		}
		out[i].Value = value
		n += hits
	}
	return out, n
}

// structural fields have no data of the target's: nothing is looked for in them.
func structural(name string) bool {
	switch name {
	case "content-length", "transfer-encoding", "connection", "content-type", "content-encoding", "date", "host",
		"upgrade", "te", "trailer", "keep-alive", "vary", "accept-ranges", "age", "allow", "grpc-status":
		return true
	}
	return false
}

func maskField(plan *mask.Plan, v *mask.Values, f Field) (string, int) {
	if structural(f.Name) {
		return f.Value, 0
	}
	if by := plan.Field(f.Name); by.Set() {
		out, _, n := v.Text(nil, by, []byte(f.Name), []byte(f.Value))
		if n > 0 {
			return clean(out), n
		}
	}
	switch f.Name {
	case "cookie":
		return maskPairs(plan, v, f.Value, ";")
	case "set-cookie":
		return maskSetCookie(plan, v, f.Value)
	case "location", "content-location", "referer", "link", "refresh", "x-original-url", "x-forwarded-uri":
		return maskURL(plan, v, f.Value)
	}
	out, _, n := v.Text(nil, mask.Named{}, []byte(f.Name), []byte(f.Value))
	if n == 0 {
		return f.Value, 0
	}
	return clean(out), n
}

// clean takes out what may not be in a header's value.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7F {
			return -1
		}
		return r
	}, string(b))
}

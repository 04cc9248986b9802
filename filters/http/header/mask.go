package header

import (
	"encoding/base64"
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
	if f.Name == "content-type" && strings.Contains(f.Value, ";") {
		return maskType(v, f.Value)
	}
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
	if strings.HasSuffix(f.Name, "-bin") {
		if value, n := maskBinary(v, f.Value); n > 0 {
			return value, n
		}
	}
	out, _, n := v.Text(nil, mask.Named{}, []byte(f.Name), []byte(f.Value))
	if n == 0 && strings.Contains(f.Value, "%") { // as in grpc-message, filename*
		out, _, n = v.Text(nil, mask.Named{}, []byte(f.Name), []byte(unescape(f.Value)))
	}
	if n == 0 {
		return f.Value, 0
	}
	return clean(out), n
}

// maskBinary looks into gRPC's binary metadata, among them the details of a status. One with a find is hidden whole.
func maskBinary(v *mask.Values, value string) (string, int) {
	total := 0
	parts := strings.Split(value, ",")
	for i, part := range parts {
		plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(part), "="))
		if err != nil {
			continue
		}
		if _, _, n := v.Text(nil, mask.Named{}, nil, plain); n > 0 {
			parts[i] = ""
			total += n
		}
	}
	return strings.Join(parts, ","), total
}

// maskType takes from a Content-Type the parameters with a find, such as a file's name.
func maskType(v *mask.Values, value string) (string, int) {
	parts := strings.Split(value, ";")
	keep, total := parts[:1], 0
	for _, part := range parts[1:] {
		_, _, n := v.Text(nil, mask.Named{}, nil, []byte(part))
		if n == 0 {
			_, _, n = v.Text(nil, mask.Named{}, nil, []byte(unescape(part)))
		}
		if total += n; n == 0 {
			keep = append(keep, part)
		}
	}
	return strings.Join(keep, ";"), total
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

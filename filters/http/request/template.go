package request

import "strings"

// template replaces what names one thing in a path: numbers, UUIDs, hashes, long ids.
func template(path string) string {
	if path == "" || path[0] != '/' {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if what := variable(s); what != "" {
			segments[i] = what
		}
	}
	return strings.Join(segments, "/")
}

func variable(s string) string {
	digits, hexes, letters, upper, other := 0, 0, 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b >= '0' && b <= '9':
			digits++
			hexes++
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			hexes++
			letters++
		case b|0x20 >= 'g' && b|0x20 <= 'z':
			letters++
		default:
			other++
		}
		if s[i] >= 'A' && s[i] <= 'Z' {
			upper++
		}
	}
	n := len(s)
	switch {
	case n == 0:
		return ""
	case digits == n:
		return "{n}"
	case n == 36 && other == 4 && hexes == 32 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-':
		return "{uuid}"
	case hexes == n && n >= 16 && digits > 0:
		return "{hash}"
	case n > 64, n >= 20 && digits >= 3 && letters >= 3, n >= 16 && digits >= 2 && upper >= 2 && upper < letters:
		return "{id}"
	case digits >= 4 && digits*2 >= n:
		return "{id}"
	}
	return ""
}

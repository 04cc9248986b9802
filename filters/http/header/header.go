// Package header holds HTTP header fields as a list, and masks what is in them:
// fields by name, cookies, query strings and locations. It does no I/O.
package header

import "strings"

// Field is one header field as it came; Name is in lower case, as in HTTP/2
// and as Envoy gives it. Pseudo headers are not fields.
type Field struct{ Name, Value string }

// List is all header fields of a message in their order.
type List []Field

// Get is the first value of a name in lower case, "" without one.
func (l List) Get(name string) string {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value
		}
	}
	return ""
}

// Count is how many fields have the name.
func (l List) Count(name string) (n int) {
	for i := range l {
		if l[i].Name == name {
			n++
		}
	}
	return n
}

// Joined is all values of a name, joined with ", ".
func (l List) Joined(name string) string {
	first, n := "", 0
	var b strings.Builder
	for i := range l {
		if l[i].Name != name {
			continue
		}
		if n++; n == 1 {
			first = l[i].Value
			continue
		}
		if n == 2 {
			b.WriteString(first)
		}
		b.WriteString(", ")
		b.WriteString(l[i].Value)
	}
	if n > 1 {
		return b.String()
	}
	return first
}

// Has reports whether a field that lists tokens ("Connection: close, Upgrade") has the token.
func (l List) Has(name, token string) bool {
	for i := range l {
		if l[i].Name != name {
			continue
		}
		for t := range strings.SplitSeq(l[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

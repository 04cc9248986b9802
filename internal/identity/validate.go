package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an identity. Names travel into SQL comments, application_name,
// logs and terminals, so what they may hold is narrow.
const (
	MaxDepth  = 8     // actors in a chain, the principal included
	MaxName   = 256   // bytes of a subject
	MaxGroups = 200   // groups of one identity
	MaxGroup  = 256   // bytes of a group
	MaxToken  = 16384 // bytes of a presented token; the longest password that we read
)

// nameChars is what a subject may hold beside ASCII letters and digits. Not in
// it, on purpose: space, quotes, backslash, "*" (would end a SQL comment), ">"
// (separates the chain), "<", ";" and everything outside ASCII (look-alikes).
// Mappings from foreign tokens percent-encode (see Escape).
const nameChars = "._-:@/+=~|,#%&!()[]"

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(nameChars, c) >= 0
}

// CheckName reports whether s can be a subject.
func CheckName(s string) error {
	switch {
	case s == "":
		return errors.New("identity: empty subject")
	case len(s) > MaxName:
		return fmt.Errorf("identity: a subject of %d bytes, over the limit of %d", len(s), MaxName)
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return fmt.Errorf("identity: subject %q: character %d is not allowed (letters, digits and %s)", s, i+1, nameChars)
		}
	}
	return nil
}

// Escape makes a foreign value fit for a subject: bytes that CheckName refuses,
// and "%" itself, become %XX. Different values stay different.
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; nameByte(c) && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// CheckGroup reports whether s can be a group: printable text without ends of line.
func CheckGroup(s string) error {
	if s == "" || len(s) > MaxGroup || !utf8.ValidString(s) {
		return fmt.Errorf("identity: a group must be 1 to %d bytes of UTF-8", MaxGroup)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("identity: group %q has a character that is not printable", s)
	}
	return nil
}

// Validate reports whether the identity is one that may act: a bounded chain
// of names that agrees with Subject and OnBehalfOf, and bounded groups.
func (id Identity) Validate() error {
	n := len(id.Actors)
	switch {
	case n == 0 || id.Subject == "":
		return errors.New("identity: nobody")
	case n > MaxDepth:
		return fmt.Errorf("identity: a delegation of %d actors, over the limit of %d", n, MaxDepth)
	case id.Actors[n-1] != id.Subject:
		return errors.New("identity: the chain does not end with the subject")
	case n == 1 && id.OnBehalfOf != "", n > 1 && id.OnBehalfOf != id.Actors[0]:
		return errors.New("identity: the chain does not begin with the principal")
	case len(id.Groups) > MaxGroups:
		return fmt.Errorf("identity: %d groups, over the limit of %d", len(id.Groups), MaxGroups)
	}
	for _, name := range id.Actors {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	for _, g := range id.Groups {
		if err := CheckGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// Same reports whether two subjects may be the same party. Case does not
// count, since directories and mail systems ignore it: whoever must not decide
// about themselves shall not get round it by spelling.
func Same(a, b string) bool { return strings.EqualFold(a, b) }

// Overlaps reports whether any actor of one chain may be an actor of the other.
func (id Identity) Overlaps(other Identity) bool {
	for _, a := range id.Actors {
		for _, b := range other.Actors {
			if Same(a, b) {
				return true
			}
		}
	}
	return false
}

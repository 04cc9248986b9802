package binding

import (
	"bytes"
	"strings"
)

// An entity tag that is made of a document's bytes tells whoever knows all but one value of it whether a guess of that
// value is right. So where values are masked, a tag goes out sealed, for one owner and one place: it can be handed back
// there, and is nothing else.

const (
	tagPrefix = "dgm." // within the quotes
	maxTag    = 512    // bytes of the target's tag; a longer one is not passed on
	nonceSize = 12     // of AES-GCM (RFC 5116)
)

// Seal is a weak entity tag that stands for the target's: W/"dgm.…" with AES-256-GCM in URL-safe base64. The nonce is a MAC
// of all that is sealed, so the same tag of the same place stays the same. It is "" for what is no tag.
func (b *Binder) Seal(place, tag string) string {
	if b == nil || len(tag) > maxTag || !valid(tag) {
		return ""
	}
	nonce := b.sum("tag", place, tag)[:nonceSize]
	return `W/"` + tagPrefix + text.EncodeToString(b.aead.Seal(nonce, nonce, []byte(tag), b.place(place))) + `"`
}

// Open is the target's tag, if the sealed one was made for this owner and place.
func (b *Binder) Open(place, sealed string) (string, bool) {
	inner, ok := strings.CutPrefix(strings.TrimPrefix(sealed, "W/"), `"`+tagPrefix)
	if b == nil || !ok || !valid(sealed) {
		return "", false
	}
	if inner, ok = strings.CutSuffix(inner, `"`); !ok {
		return "", false
	}
	raw, err := text.DecodeString(inner)
	if err != nil || len(raw) < nonceSize {
		return "", false
	}
	plain, err := b.aead.Open(nil, raw[:nonceSize], raw[nonceSize:], b.place(place))
	return string(plain), err == nil
}

func (b *Binder) place(place string) []byte { return parts(bytes.Clone(b.owner), "tag", place) }

// valid reports whether it is one entity tag (RFC 9110, section 8.8.3).
func valid(tag string) bool {
	rest, ok := after(tag)
	return ok && rest == ""
}

// after is what stands behind the first entity tag.
func after(s string) (string, bool) {
	s, ok := strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	if !ok {
		return "", false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			return s[i+1:], true
		case c <= ' ' || c == 0x7F:
			return "", false
		}
	}
	return "", false
}

// Tags takes a list of entity tags apart ("If-Match: "a", W/"b""); false for what is no such list, such as "*".
func Tags(list string) (tags []string, ok bool) {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return tags, len(tags) > 0
		}
		rest, ok := after(list)
		if !ok {
			return nil, false
		}
		tags = append(tags, list[:len(list)-len(rest)])
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ',' {
			return nil, false
		}
		list = rest
	}
}

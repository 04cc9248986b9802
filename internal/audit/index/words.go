package index

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds, in bytes.
const (
	MaxValue   = 1000 // of a fact
	MaxText    = 16 << 10
	maxWord    = 128
	maxPhrases = 16
	maxPhrase  = 32 // words
)

// Bounded cuts text at a rune's end, and makes it valid UTF-8 without zero bytes.
func Bounded(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if n := len(s); n > 0 && s[n-1] >= utf8.RuneSelf {
			s = s[:n-1]
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Words gives the words of a text as stores index them: lower case, only letters, marks and digits.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(Bounded(text, MaxText)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	for i, w := range words {
		words[i] = Bounded(w, maxWord)
	}
	return words
}

// Phrase is words that stand beside each other.
type Phrase struct {
	Words  []string
	Prefix bool // the last one may go on
}

// Phrases reads Query.Text. Nothing in it but letters, marks and digits reaches a store.
func (q *Query) Phrases() ([]Phrase, error) {
	var all []Phrase
	for i, part := range strings.Split(q.Text, `"`) {
		fields := []string{part}
		if i%2 == 0 {
			fields = strings.Fields(part)
		}
		for _, f := range fields {
			p := Phrase{Words: Words(f), Prefix: strings.HasSuffix(f, "*")}
			if len(p.Words) > maxPhrase {
				return nil, &QueryError{fmt.Sprintf("free text: more than %d words beside each other", maxPhrase)}
			}
			if len(p.Words) > 0 {
				all = append(all, p)
			}
		}
	}
	if len(all) > maxPhrases {
		return nil, &QueryError{fmt.Sprintf("free text: more than %d words", maxPhrases)}
	}
	if len(all) == 0 && q.Text != "" {
		return nil, &QueryError{"free text: no letter or digit in it"}
	}
	return all, nil
}

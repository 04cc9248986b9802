package mysql

import (
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
)

// TokenKind is what a token is to somebody who reads a statement.
type TokenKind uint8

// Kinds of tokens.
const (
	TokenWord    TokenKind = iota + 1 // a name or a keyword
	TokenName                         // a name in quotes
	TokenString                       // a string
	TokenNumber                       // a number
	TokenComment                      // a comment, or the bracket of one whose code runs
	TokenOther                        // punctuation
)

// Token is a piece of a text, by bytes.
type Token struct {
	Kind       TokenKind
	Start, End int
}

// Tokens are those of a text as Normalize tells them. With an error they are those before the place that it does not understand.
func Tokens(text string, m Mode) (out []Token, err error) {
	n := normalizer{in: text, mode: m, backslash: m.backslash(), ansi: m.ansi()}
	for i := 0; i < len(text); {
		if isSpace(text[i]) {
			i++
			continue
		}
		kept := n.kept
		next, err := n.token(i)
		if err != nil {
			return out, err
		}
		t := Token{Kind: TokenOther, Start: i, End: next}
		switch c := text[i]; {
		case n.kept != kept || c == '/' && next > i+1: // it was cut out, or is a hint
			t.Kind = TokenComment
		case c == '\'' || c == '"' && !n.ansi:
			t.Kind = TokenString
		case c == '`' || c == '"':
			t.Kind = TokenName
		case isDigit(c) || c == '.' && next > i+1:
			t.Kind = TokenNumber
		case isWord(c):
			t.Kind = TokenWord
		}
		out = append(out, t)
		i = next
	}
	return out, nil
}

// unreserved are keywords that may be names, and hardly ever are.
const unreserved = "BEGIN COMMIT ROLLBACK START TRANSACTION TRUNCATE EXECUTE PREPARE DEALLOCATE DO CALL OFFSET"

var keywords = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, k := range parser.Keywords {
		if k.Reserved {
			all[k.Word] = true
		}
	}
	for w := range strings.FieldsSeq(unreserved) {
		all[w] = true
	}
	return all
})

// Keyword reports whether a word is one that statements are made of, and not a name.
func Keyword(word string) bool { return keywords()[strings.ToUpper(word)] }

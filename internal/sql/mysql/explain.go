package mysql

import (
	"errors"
	"slices"
	"strings"
)

// ErrNotExplained says that a text is not one statement that EXPLAIN only plans.
var ErrNotExplained = errors.New("not one statement that can be planned without being run")

// ExplainPrefix names the format, which a server may have another default of. It has no ANALYZE, which would run the statement.
const ExplainPrefix = "EXPLAIN FORMAT=TRADITIONAL "

// Explain gives the statement that asks for a text's plan on a server of this mode, and the word that the text begins with, in lower case.
// What it gives has no comments: no part of the text can be code for one reader and a comment for another.
func Explain(text string, m Mode) (explain, verb string, err error) {
	if m.foreign() {
		return "", "", ErrNotExplained
	}
	plain, err := Normalize(text, m)
	if err != nil {
		return "", "", err
	}
	plain = strings.TrimRight(strings.TrimSpace(plain), "; \t\r\n")
	tokens, err := Tokens(plain, m)
	if err != nil || len(tokens) == 0 {
		return "", "", ErrNotExplained
	}
	for _, t := range tokens {
		if plain[t.Start:t.End] == ";" || t.Kind == TokenComment && !strings.HasPrefix(plain[t.Start:], "/*+") {
			return "", "", ErrNotExplained
		}
	}
	verb = strings.ToLower(plain[tokens[0].Start:tokens[0].End])
	if tokens[0].Start != 0 || !slices.Contains([]string{"select", "with", "insert", "replace", "update", "delete"}, verb) {
		return "", "", ErrNotExplained
	}
	return ExplainPrefix + plain, verb, nil
}

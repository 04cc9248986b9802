package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// TokenKind is what a token is to somebody who reads a statement.
type TokenKind uint8

// Kinds of tokens.
const (
	TokenWord TokenKind = iota + 1 // a name, quoted or not
	TokenKeyword
	TokenString
	TokenNumber
	TokenComment
	TokenParam // $1
	TokenOperator
)

// Token is a piece of a text, by bytes.
type Token struct {
	Kind       TokenKind
	Start, End int
}

// Tokens are those of a text as PostgreSQL's own scanner tells them. It fails where the text is one that is not judged either.
func Tokens(text string) ([]Token, error) {
	if err := guard(text, true); err != nil {
		return nil, err
	}
	res, err := pg.Scan(text)
	if err != nil {
		return nil, &ParseError{err.Error(), -1}
	}
	out := make([]Token, 0, len(res.GetTokens()))
	for _, t := range res.GetTokens() {
		start, end := int(t.GetStart()), int(t.GetEnd())
		if start < 0 || end > len(text) || start >= end {
			return nil, &ParseError{"a token outside of the text", -1}
		}
		out = append(out, Token{Kind: kindOf(t, text[start:end]), Start: start, End: end})
	}
	return out, nil
}

func kindOf(t *pg.ScanToken, text string) TokenKind {
	switch t.GetToken() {
	case pg.Token_SCONST, pg.Token_USCONST, pg.Token_BCONST, pg.Token_XCONST:
		return TokenString
	case pg.Token_ICONST, pg.Token_FCONST:
		return TokenNumber
	case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
		return TokenComment
	case pg.Token_PARAM:
		return TokenParam
	case pg.Token_IDENT, pg.Token_UIDENT:
		return TokenWord
	}
	switch t.GetKeywordKind() {
	case pg.KeywordKind_NO_KEYWORD:
		return TokenOperator
	case pg.KeywordKind_UNRESERVED_KEYWORD: // most of them are names where they stand
		if !strings.Contains(unreserved, " "+strings.ToLower(text)+" ") {
			return TokenWord
		}
	}
	return TokenKeyword
}

// unreserved are keywords that may be names, and hardly ever are.
const unreserved = " begin by commit copy delete drop alter explain grant insert into prepare execute deallocate lock merge recursive replace reset" +
	" revoke rollback set start truncate update vacuum call cascade nowait skip over partition matched nothing returns begin declare fetch listen notify "

package pgsql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// guard refuses what the parser must not see: bytes that the server reads
// otherwise, and texts that are too large or too deep for a C stack.
func guard(text string, standardStrings bool) error {
	switch {
	case len(text) > maxText:
		return &ParseError{"the text is longer than " + strconv.Itoa(maxText) + " bytes", -1}
	case strings.IndexByte(text, 0) >= 0:
		return &ParseError{"a zero byte", strings.IndexByte(text, 0)}
	case !utf8.ValidString(text):
		return &ParseError{"not UTF-8", -1}
	case !standardStrings && strings.IndexByte(text, '\\') >= 0:
		return &ParseError{"a backslash while standard_conforming_strings is off", strings.IndexByte(text, '\\')}
	case commentRun(text) > maxCommentRun:
		return &ParseError{"too many comments opened in one run of operator characters", -1}
	case len(text) <= freeText:
		return nil
	}
	return depthGuard(text)
}

// maxCommentRun bounds how often the lexer reads a run of operator characters
// again: it takes the longest operator first, and gives all but the "/*" back.
// "/*/*/*…" would cost time by the square of its length, on an Envoy worker.
const maxCommentRun = 16

// commentRun is the largest number of "/*" in one run of operator characters.
func commentRun(text string) int {
	most, run, last := 0, 0, -1
	for at := strings.Index(text, "/*"); at >= 0; {
		if last < 0 || strings.Trim(text[last:at], "~!@#^&|`?+-*/%<>=") != "" {
			run = 0
		}
		run++
		most, last = max(most, run), at
		next := strings.Index(text[at+1:], "/*")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return most
}

// level is one open bracket, or the text itself. The depth of its tree is at
// most chain + item: item grows by every token and by what was closed inside,
// and starts anew at a comma and the like, where most is kept; chain grows by
// the words that nest across such separators.
type level struct{ chain, item, most int }

func (l *level) next() {
	l.most = max(l.most, l.item)
	l.item = 0
}

func (l *level) depth() int { return l.chain + max(l.most, l.item) }

// depthGuard estimates the depth of a text's tree from its tokens, never below what it is.
func depthGuard(text string) error {
	stack := make([]level, 1, 64)
	tokens, open := 0, 0
	lex := scanner{text: text}
	for {
		kind, word, err := lex.next()
		if err != nil {
			return err
		}
		if kind == tokenEnd {
			break
		}
		if tokens++; tokens > maxTokens {
			return &ParseError{"more than " + strconv.Itoa(maxTokens) + " tokens", lex.pos}
		}
		top := &stack[len(stack)-1]
		top.item++
		switch {
		case kind == tokenWord:
			switch keyword(word) {
			case kwOpen:
				stack = append(stack, level{})
				open += top.depth()
			case kwClose:
				stack, open = closeLevel(stack, open)
			case kwChain:
				top.chain++
			case kwNext:
				top.next()
			}
		case kind == tokenOther && (word == "(" || word == "["):
			open += top.depth()
			stack = append(stack, level{})
		case kind == tokenOther && (word == ")" || word == "]"):
			stack, open = closeLevel(stack, open)
		case kind == tokenOther && (word == "," || word == ";"):
			top.next()
		}
		if d := open + stack[len(stack)-1].depth(); d > maxDepth {
			return &ParseError{"nested too deeply", lex.pos}
		}
	}
	return nil
}

func closeLevel(stack []level, open int) ([]level, int) {
	if len(stack) == 1 {
		return stack, open
	}
	inner := stack[len(stack)-1].depth()
	stack = stack[:len(stack)-1]
	top := &stack[len(stack)-1]
	open -= top.depth()
	top.item += inner
	return stack, open
}

type kw uint8

const (
	kwNone  kw = iota
	kwOpen     // CASE opens a bracket that END closes
	kwClose    // END
	kwChain    // nests across commas: UNION, JOIN …
	kwNext     // AND, OR, WHEN …: their operands are a list
)

func keyword(word string) kw {
	if len(word) < 2 || len(word) > 9 {
		return kwNone
	}
	switch strings.ToLower(word) {
	case "case":
		return kwOpen
	case "end":
		return kwClose
	case "union", "intersect", "except", "join":
		return kwChain
	case "and", "or", "when", "then", "else":
		return kwNext
	}
	return kwNone
}

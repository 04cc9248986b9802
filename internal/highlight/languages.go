package highlight

import (
	"encoding/json"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	mysqlsql "dragoman.dev/dragoman/internal/sql/mysql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

var postgresClasses = map[pgsql.TokenKind]Class{pgsql.TokenKeyword: Keyword, pgsql.TokenString: String, pgsql.TokenNumber: Number,
	pgsql.TokenComment: Comment, pgsql.TokenParam: Param, pgsql.TokenOperator: Operator}

func postgresText(p paint, text string) bool {
	tokens, err := pgsql.Tokens(text)
	if err != nil {
		return false
	}
	for _, t := range tokens {
		c := postgresClasses[t.Kind]
		if t.Kind == pgsql.TokenWord && strings.HasPrefix(text[t.Start:], `"`) {
			c = Name
		}
		p.set(t.Start, t.End, c)
	}
	return true
}

var mysqlClasses = map[mysqlsql.TokenKind]Class{mysqlsql.TokenName: Name, mysqlsql.TokenString: String, mysqlsql.TokenNumber: Number,
	mysqlsql.TokenComment: Comment, mysqlsql.TokenOther: Operator}

// mysqlMode is what is not known of a held statement's session: a recent server, so that comments with code are code.
var mysqlMode = mysqlsql.Mode{Version: 80400}

// mysqlText paints up to what the scanner does not understand; such a statement is refused anyhow.
func mysqlText(p paint, text string) {
	tokens, _ := mysqlsql.Tokens(text, mysqlMode)
	for _, t := range tokens {
		c := mysqlClasses[t.Kind]
		switch {
		case t.Kind == mysqlsql.TokenWord && mysqlsql.Keyword(text[t.Start:t.End]):
			c = Keyword
		case text[t.Start:t.End] == "?":
			c = Param
		}
		p.set(t.Start, t.End, c)
	}
}

// maxNesting bounds the brackets that are open at a time in a command line, as the parser goes down by them.
const maxNesting = 200

func deep(text string) bool {
	return strings.Count(text, "(")+strings.Count(text, "{")+strings.Count(text, "`")+strings.Count(text, "[") > maxNesting
}

// reservedWords of the shell, where a word of a command is nothing but one.
var reservedWords = []string{"if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "case", "esac", "select", "function", "time", "coproc", "{", "}", "[[", "]]", "!"}

// shellText paints outer nodes first, and what is in them over that.
func shellText(p paint, text string) bool {
	if deep(text) {
		return false
	}
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	if err != nil {
		return false
	}
	at := func(x syntax.Pos) int {
		if !x.IsValid() {
			return -1
		}
		return int(x.Offset())
	}
	word := func(x syntax.Pos) { // a reserved word or operator that begins there
		i := at(x)
		if i < 0 || i >= len(text) {
			return
		}
		for _, w := range reservedWords {
			if strings.HasPrefix(text[i:], w) && (len(text) == i+len(w) || !isLetter(text[i+len(w)])) {
				p.set(i, i+len(w), Keyword)
				return
			}
		}
		n := 0
		for i+n < len(text) && strings.IndexByte("|&;<>-+=", text[i+n]) >= 0 {
			n++
		}
		p.set(i, i+n, Operator)
	}
	syntax.Walk(f, func(n syntax.Node) bool {
		if n != nil {
			shellNode(p, n, at, word)
		}
		return true
	})
	return true
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func shellNode(p paint, n syntax.Node, at func(syntax.Pos) int, word func(syntax.Pos)) {
	whole := func(c Class) { p.set(at(n.Pos()), at(n.End()), c) }
	switch n := n.(type) {
	case *syntax.Comment:
		whole(Comment)
	case *syntax.SglQuoted, *syntax.DblQuoted:
		whole(String)
	case *syntax.ParamExp, *syntax.ArithmExp:
		whole(Param)
	case *syntax.CmdSubst, *syntax.ProcSubst:
		whole(Plain)
	case *syntax.CallExpr:
		if len(n.Args) > 0 {
			p.set(at(n.Args[0].Pos()), at(n.Args[0].End()), Command)
		}
	case *syntax.Assign:
		if n.Name != nil {
			p.set(at(n.Name.Pos()), at(n.Name.End()), Param)
		}
	case *syntax.Redirect:
		word(n.OpPos)
		if n.Hdoc != nil {
			p.set(at(n.Hdoc.Pos()), at(n.Hdoc.End()), String)
		}
	case *syntax.BinaryCmd:
		word(n.OpPos)
	case *syntax.IfClause:
		word(n.Position)
		word(n.ThenPos)
		word(n.FiPos)
	case *syntax.WhileClause:
		word(n.WhilePos)
		word(n.DoPos)
		word(n.DonePos)
	case *syntax.ForClause:
		word(n.ForPos)
		word(n.DoPos)
		word(n.DonePos)
	case *syntax.CaseClause:
		word(n.Case)
		word(n.In)
		word(n.Esac)
	case *syntax.Stmt:
		word(n.Semicolon)
	}
}

// jsonText paints what the standard library's decoder takes for tokens, up to what is no JSON.
func jsonText(p paint, text string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var open []bool // of an object; false: of a list
	key := false    // a key comes next
	for last := 0; ; {
		t, err := d.Token()
		if err != nil {
			return
		}
		end := int(d.InputOffset())
		start := last + len(text[last:end]) - len(strings.TrimLeft(text[last:end], " \t\r\n,:"))
		last = end
		object := len(open) > 0 && open[len(open)-1]
		switch t := t.(type) {
		case json.Delim:
			p.set(start, end, Operator)
			if t == '{' || t == '[' {
				open, key = append(open, t == '{'), t == '{'
				continue
			}
			open = open[:len(open)-1]
			key = len(open) > 0 && open[len(open)-1]
			continue
		case string:
			if p.set(start, end, String); object && key {
				p.set(start, end, Name)
			}
		case json.Number:
			p.set(start, end, Number)
		default:
			p.set(start, end, Keyword)
		}
		key = object && !key
	}
}

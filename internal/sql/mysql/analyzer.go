package mysql

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	grammar "github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // literals; the grammar needs some package for them

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// Batch is an analysed message: its statements, and the text to send in the place of the one that came.
type Batch struct {
	Statements []*sql.Statement
	// Text is the message without comments. Spans of the statements are in it.
	Text string
}

// Analyzer analyses texts and keeps what it found. It is safe for concurrent use.
type Analyzer struct {
	max int
	mu  sync.Mutex
	m   map[key]*Batch
}

type key struct {
	text string
	env  Env
}

// maxKept is the longest text that is kept.
const maxKept = 16 << 10

// NewAnalyzer makes an Analyzer that keeps the analyses of up to max texts.
func NewAnalyzer(max int) *Analyzer { return &Analyzer{max: max, m: map[key]*Batch{}} }

// Analyze takes a message apart. A message that cannot be parsed is one statement of which nothing is known.
func (z *Analyzer) Analyze(text string, env Env) *Batch {
	k := key{text, env}
	z.mu.Lock()
	b := z.m[k]
	z.mu.Unlock()
	if b != nil {
		return b
	}
	b = analyze(text, env)
	if len(text) > maxKept {
		return b
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.m) >= z.max {
		clear(z.m)
	}
	z.m[k] = b
	return b
}

// analyze never panics: what the grammar cannot take is unparsed.
func analyze(text string, env Env) (b *Batch) {
	defer func() {
		if recover() != nil {
			b = &Batch{Statements: []*sql.Statement{Unparsed(text)}, Text: text}
		}
	}()
	nodes, normal, err := parse(text, env.Mode)
	if err != nil {
		return &Batch{Statements: []*sql.Statement{Unparsed(text)}, Text: text}
	}
	return &Batch{Statements: batch(nodes, normal, env), Text: normal}
}

// Unparsed is a statement of which nothing is known.
func Unparsed(text string) *sql.Statement {
	return &sql.Statement{Start: 0, End: len(text), Returns: true, Effects: sql.EffectOpaque | sql.EffectNames | sql.EffectCatalog,
		Action: action.Action{Kind: action.KindSQL, Verbs: []string{}, Reads: []action.Object{}, Writes: []action.Object{},
			Functions: []action.Function{}, Params: []action.Param{}, Features: map[string]any{action.FeatureUnparsed: true}, Text: text}}
}

// ErrMode is an SQL mode that makes another language of a text.
var errMode = errors.New("an SQL mode that is not read here")

var parsers = sync.Pool{New: func() any { return parser.New() }}

// maxNesting bounds parentheses, of which each makes the analysis go deeper.
const maxNesting = 500

// parse gives the statements of a text, and the text without comments.
func parse(text string, m Mode) ([]ast.StmtNode, string, error) {
	if m.foreign() {
		return nil, "", errMode
	}
	if !utf8.ValidString(text) {
		return nil, "", errByte
	}
	normal, err := Normalize(text, m)
	if err != nil {
		return nil, "", err
	}
	if err := nesting(normal); err != nil {
		return nil, "", err
	}
	var mode grammar.SQLMode
	for _, word := range strings.Split(m.SQLMode, ",") {
		mode |= grammar.Str2SQLMode[word] // those that it does not know make no other language
	}
	p := parsers.Get().(*parser.Parser)
	defer parsers.Put(p)
	p.Reset()
	p.SetSQLMode(mode)
	nodes, _, err := p.ParseSQL(normal)
	if err == nil {
		return nodes, normal, nil
	}
	if node, rerr := parseReturning(p, normal, m); rerr == nil {
		return []ast.StmtNode{node}, normal, nil
	}
	if node, ok := parseWork(p, normal); ok {
		return []ast.StmtNode{node}, normal, nil
	}
	return nil, "", err
}

// nesting counts parentheses, also those in strings: what has that many there is refused as well.
func nesting(text string) error {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			if depth++; depth > maxNesting {
				return fmt.Errorf("more than %d parentheses", maxNesting)
			}
		case ')':
			depth = max(0, depth-1)
		}
	}
	return nil
}

package policy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Problem is one thing that is wrong with a policy, and where.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0: the file as a whole
	Col     int    `json:"col,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (p *Problem) Error() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, p.Line)
		if p.Col > 0 {
			at = fmt.Sprintf("%s:%d", at, p.Col)
		}
	}
	if p.Hint != "" {
		return at + ": " + p.Message + " (" + p.Hint + ")"
	}
	return at + ": " + p.Message
}

// Check compiles the bundle and returns all that is wrong with it; empty means
// that Compile accepts it.
func Check(b Bundle) []Problem {
	_, err := Compile(context.Background(), b)
	return Problems(err)
}

// Problems takes an error of Bundle or Compile apart.
func Problems(err error) []Problem {
	if err == nil {
		return nil
	}
	var out []Problem
	var walk func(error)
	walk = func(err error) {
		var p *Problem
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				walk(e)
			}
		} else if errors.As(err, &p) {
			out = append(out, *p)
		} else if inner := errors.Unwrap(err); inner != nil {
			walk(inner)
		} else {
			out = append(out, Problem{File: "policy", Message: err.Error()})
		}
	}
	walk(err)
	return out
}

func problemsError(ps []Problem) error {
	errs := make([]error, len(ps))
	for i := range ps {
		errs[i] = &ps[i]
	}
	return errors.Join(errs...)
}

var wantOne = regexp.MustCompile(`(?s)have: "([^"]*)"\s+want \(one of\): \[([^\]]*)\]`)

// Located turns errors of OPA's parser and compiler into joined *Problem values;
// other errors stay as they are.
func Located(err error) error {
	var list ast.Errors
	if !errors.As(err, &list) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return err
		}
		list = ast.Errors{one}
	}
	ps := make([]Problem, 0, len(list))
	for _, e := range list {
		p := Problem{File: "policy", Message: e.Message}
		if e.Location != nil {
			p.File, p.Line, p.Col = e.Location.File, e.Location.Row, e.Location.Col
		}
		if p.Line == 0 {
			p.Line = 1
		}
		if e.Details != nil {
			p.Hint = hintOf(e.Details.Lines())
		}
		ps = append(ps, p)
	}
	return problemsError(ps)
}

func hintOf(lines []string) string {
	m := wantOne.FindStringSubmatch(strings.Join(lines, "\n"))
	if m == nil {
		return ""
	}
	best, dist := "", 4
	for _, w := range strings.Fields(strings.ReplaceAll(m[2], `"`, "")) {
		w = strings.Trim(w, ",")
		if d := distance(m[1], w); d < dist {
			best, dist = w, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "one of: " + m[2]
}

// distance is how many bytes must be changed, added or removed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Package policytest runs the tests of a policy folder: Rego tests
// (*_test.rego) with OPA's own runner, and cases in tests.yaml. It is apart from
// package policy so that what runs inside Envoy does not carry a test runner.
package policytest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"

	"dragoman.dev/dragoman/internal/policy"
)

// maxFile bounds a test file, in bytes.
const maxFile = 4 << 20

// Result is how one test went.
type Result struct {
	File     string        `json:"file"`
	Line     int           `json:"line,omitempty"`
	Name     string        `json:"name"`
	Pass     bool          `json:"pass"`
	Message  string        `json:"message,omitempty"` // why it failed
	Output   string        `json:"output,omitempty"`  // what it printed
	Duration time.Duration `json:"duration"`
}

// Test compiles the source and runs all its tests, in order of file and line. An
// error means that the policy or a test file cannot be read or compiled; a test that
// fails is a Result.
func Test(ctx context.Context, src policy.Source) ([]Result, error) {
	b, err := src.Bundle()
	if err != nil {
		return nil, err
	}
	engine, err := policy.Compile(ctx, b, policy.WithBudget(5*time.Second))
	if err != nil {
		return nil, err
	}
	if src.Dir == "" {
		return nil, nil
	}
	results, err := runRego(ctx, os.DirFS(src.Dir), b)
	if err != nil {
		return nil, err
	}
	cases, err := runCases(ctx, os.DirFS(src.Dir), engine)
	if err != nil {
		return nil, err
	}
	results = append(results, cases...)
	slices.SortStableFunc(results, func(a, b Result) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	return results, nil
}

func runRego(ctx context.Context, dir fs.FS, b policy.Bundle) ([]Result, error) {
	sources := map[string]string{}
	for k, v := range b.Modules {
		sources[k] = v
	}
	n := len(sources)
	err := fs.WalkDir(dir, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path.Base(p), "_test.rego") {
			return nil
		}
		body, err := readFile(dir, p)
		sources[p] = string(body)
		return err
	})
	if err != nil || len(sources) == n {
		return nil, err
	}
	mods, err := policy.ParseModules(sources)
	if err != nil {
		return nil, err
	}
	store := policy.Store(b)
	c, err := policy.NewCompiler(ctx, store)
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	return collect(ctx, c, store, txn, mods)
}

func collect(ctx context.Context, c *ast.Compiler, store storage.Store, txn storage.Transaction,
	mods map[string]*ast.Module) ([]Result, error) {
	ch, err := tester.NewRunner().SetCompiler(c.WithEnablePrintStatements(true)).SetStore(store).SetModules(mods).CapturePrintOutput(true).
		RaiseBuiltinErrors(true).SetParallel(1).RunTests(ctx, txn)
	if err != nil {
		return nil, policy.Located(err)
	}
	var out []Result
	for r := range ch {
		res := Result{Name: r.Name, Pass: r.Pass(), Output: string(r.Output), Duration: r.Duration}
		if r.Location != nil {
			res.File, res.Line = r.Location.File, r.Location.Row
		}
		switch {
		case r.Error != nil:
			res.Message = r.Error.Error()
		case r.Skip:
			res.Message = "not run: its name begins with todo_"
		case r.Fail && r.FailedAt != nil && r.FailedAt.Location != nil:
			res.Message = fmt.Sprintf("false at line %d: %s", r.FailedAt.Location.Row, r.FailedAt)
		case r.Fail:
			res.Message = "it is not true"
		}
		out = append(out, res)
	}
	return out, nil
}

func readFile(dir fs.FS, p string) ([]byte, error) {
	st, err := fs.Stat(dir, p)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", p, maxFile)
	}
	return fs.ReadFile(dir, p)
}

package policy

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

//go:embed library.rego
var librarySource string

//go:embed base.rego
var baseSource string

//go:embed fields.rego
var fieldsSource string

//go:embed schema.json
var schemaSource []byte

// Files of the built-in modules, as errors name them.
const (
	libraryFile = "dragoman/library.rego"
	baseFile    = "dragoman/base.rego"
	fieldsFile  = "dragoman/fields.rego"
	entrypoint  = "data.dragoman.main.result"
)

// DefaultBudget is how long one evaluation may take; it is tried twice.
const DefaultBudget = 250 * time.Millisecond

// Option changes how an engine judges.
type Option func(*Engine)

// WithLog gives the logger for internal errors; without it they are discarded.
func WithLog(l *slog.Logger) Option { return func(e *Engine) { e.log = l } }

// WithBudget sets how long one evaluation may take instead of DefaultBudget.
func WithBudget(d time.Duration) Option { return func(e *Engine) { e.budget = d } }

// Compile makes an engine of a bundle. Errors are joined *Problem values that name
// file and line. ctx bounds the compilation only.
func Compile(ctx context.Context, b Bundle, opts ...Option) (*Engine, error) {
	store := Store(b)
	mods, err := ParseModules(b.Modules)
	if err != nil {
		return nil, err
	}
	c, err := NewCompiler(ctx, store)
	if err != nil {
		return nil, err
	}
	if c.Compile(mods); c.Failed() {
		return nil, Located(c.Errors)
	}
	e := &Engine{log: slog.New(slog.DiscardHandler), budget: DefaultBudget, refs: collectRefs(c, b.Data)}
	for _, o := range opts {
		o(e)
	}
	if e.revision = b.Revision; e.revision == "" {
		if e.revision, err = revision(b); err != nil {
			return nil, fmt.Errorf("policy data: %w", err)
		}
	}
	if err := checkEncoded(b); err != nil {
		return nil, err
	}
	q, err := rego.New(rego.Query(entrypoint), rego.Compiler(c), rego.Store(store),
		rego.StrictBuiltinErrors(true), rego.Capabilities(Capabilities())).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing policy: %w", err)
	}
	e.query = q
	e.paths = newPathKey(b.Data, e.refs)
	e.cache.init()
	return e, nil
}

// dataOf is the bundle's data with the parts that the library reads always there.
func dataOf(b Bundle) map[string]any {
	data := maps.Clone(b.Data)
	if data == nil {
		data = map[string]any{}
	}
	if _, ok := data[reservedKey]; !ok {
		data[reservedKey] = encode(nil, nil, nil)
	}
	return data
}

// Store holds the bundle's data.
func Store(b Bundle) storage.Store { return inmem.NewFromObject(dataOf(b)) }

// NewCompiler is the compiler for policies: strict, with the restricted
// built-ins and the input's schema. Modules may not have packages where the
// store has data.
func NewCompiler(ctx context.Context, store storage.Store) (*ast.Compiler, error) {
	var schema any
	if err := json.Unmarshal(schemaSource, &schema); err != nil {
		return nil, fmt.Errorf("built-in schema: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	conflicts := func(path []string) (bool, error) {
		txn, err := store.NewTransaction(ctx)
		if err != nil {
			return false, err
		}
		defer store.Abort(ctx, txn)
		return storage.NonEmpty(ctx, store, txn)(path)
	}
	return ast.NewCompiler().WithCapabilities(Capabilities()).WithStrict(true).WithSchemas(set).
		WithPathConflictsCheck(conflicts).SetErrorLimit(100), nil
}

// ParseModules parses the sources and adds the built-in modules. User modules
// may not be in the library's packages.
func ParseModules(sources map[string]string) (map[string]*ast.Module, error) {
	mods := map[string]*ast.Module{}
	var errs []error
	opts := ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: Capabilities(), ProcessAnnotation: true}
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		m, err := ast.ParseModuleWithOpts(file, sources[file], opts)
		if err != nil {
			errs = append(errs, Located(err))
			continue
		}
		if m == nil {
			continue // nothing but comments
		}
		if p := foreign(file, m); p != nil {
			errs = append(errs, p)
			continue
		}
		mods[file] = m
	}
	for file, src := range map[string]string{libraryFile: librarySource, baseFile: baseSource, fieldsFile: fieldsSource} {
		if _, taken := mods[file]; taken {
			errs = append(errs, &Problem{File: file, Line: 1, Message: "this file name is the library's"})
		}
		m, err := ast.ParseModuleWithOpts(file, src, opts)
		if err != nil {
			return nil, fmt.Errorf("built-in library: %w", err)
		}
		mods[file] = m
	}
	return mods, errors.Join(errs...)
}

// foreign refuses user modules in packages that are the library's.
func foreign(file string, m *ast.Module) *Problem {
	path := m.Package.Path // data.a.b
	if len(path) < 2 || !path[1].Equal(ast.StringTerm(reservedKey)) {
		return nil
	}
	loc := m.Package.Location
	p := &Problem{File: file, Line: loc.Row, Col: loc.Col, Hint: "use package dragoman.policy, or a name of your own"}
	if len(path) < 3 || !path[2].Equal(ast.StringTerm("policy")) && !path[2].Equal(ast.StringTerm("policy_test")) {
		p.Message = fmt.Sprintf("package %s belongs to the built-in library", strings.TrimPrefix(path.String(), "data."))
		return p
	}
	return nil
}

// unsafeBuiltins reach out of the evaluation: the network, the process, or
// code that is not in the bundle.
var unsafeBuiltins = []string{
	"http.send", "net.lookup_ip_addr", "opa.runtime", "rego.parse_module",
}

// Capabilities are the built-ins that policies may use: none that reaches the
// network, files or the process.
func Capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return slices.Contains(unsafeBuiltins, b.Name)
	})
	c.AllowNet = []string{}
	return c
}

package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// refs are the volatile parts of the input that a policy refers to. What is not
// volatile (who, which target, what kind of action on what) is always part of a
// verdict's key.
type refs struct {
	text, params, fingerprint                  bool // input.action
	id, started, client, app, database, dbUser bool // input.session
	claims, tokenID, expires                   bool // input.identity
	// clock says that the policy reads time, chance or anything else that is not
	// in the input: its verdicts are never kept.
	clock bool
	// body says that the policy looks at what a request's body holds.
	body bool
	// objects says that the folder's Rego looks at the names of what is read and written.
	objects bool
	// library says that the folder's Rego refers to what the library makes of the input.
	library bool
}

// clockBuiltins depend on the time though OPA does not mark them so.
var clockBuiltins = map[string]bool{
	"crypto.x509.parse_and_verify_certificates":              true,
	"crypto.x509.parse_and_verify_certificates_with_options": true,
	"io.jwt.decode_verify":                                   true,
}

// collectRefs walks all compiled modules. What cannot be told counts as all. The
// module of fields reads parameters only for rules that name fields, or when the folder's Rego calls it.
func collectRefs(c *ast.Compiler, data map[string]any) refs {
	var own, r refs
	for file, m := range c.Modules {
		if file != libraryFile && file != baseFile && file != fieldsFile {
			for _, rule := range m.Rules { // the module's own name is a reference to data as well
				own.walk(rule)
			}
		}
	}
	named, body := ruleRefs(data)
	for file, m := range c.Modules {
		if file != fieldsFile || named || own.library {
			r.walk(m)
		}
	}
	r.body = body || own.body || own.library
	r.objects = own.objects || own.library
	r.library = own.library
	return r
}

func (r *refs) walk(x any) {
	ast.WalkTerms(x, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Ref:
			r.ref(v)
			if _, isVar := v[0].Value.(ast.Var); !isVar {
				r.walk(v[0])
			}
			for _, inner := range v[1:] {
				r.walk(inner)
			}
			return true // its head is not a use of the whole input
		case ast.Var:
			if v.Equal(ast.InputRootDocument.Value) {
				r.ref(ast.InputRootRef)
			}
			r.library = r.library || v.Equal(ast.DefaultRootDocument.Value)
		}
		return false
	})
}

func (r *refs) ref(ref ast.Ref) {
	if ref[0].Equal(ast.DefaultRootDocument) {
		r.library = r.library || usesLibrary(ref)
	}
	if !ref[0].Equal(ast.InputRootDocument) {
		// A call's operator is a ref too.
		name := ref.String()
		if b, ok := ast.BuiltinMap[name]; clockBuiltins[name] || ok && b.Nondeterministic {
			r.clock = true
		}
		return
	}
	var path []string
	for _, t := range ref[1:] {
		s, ok := t.Value.(ast.String)
		if !ok {
			break // dynamic: everything below
		}
		path = append(path, string(s))
	}
	r.path(path)
}

// path notes a reference to input.<path> and all below it.
func (r *refs) path(path []string) {
	r.body = r.body || readsBody(path)
	r.objects = r.objects || len(path) == 0 || path[0] == "action" && (len(path) == 1 || path[1] == "reads" || path[1] == "writes")
	at := strings.Join(path[:min(len(path), 2)], ".")
	for name, field := range map[string]*bool{
		"action.text": &r.text, "action.params": &r.params, "action.fingerprint": &r.fingerprint,
		"session.id": &r.id, "session.started": &r.started, "session.client": &r.client,
		"session.application": &r.app, "session.database": &r.database, "session.user": &r.dbUser,
		"identity.claims": &r.claims, "identity.token_id": &r.tokenID, "identity.expires": &r.expires,
	} {
		if at == "" || at == name || strings.HasPrefix(name, at+".") {
			*field = true
		}
	}
}

// usesLibrary reports whether a reference into data may be to data.dragoman.main or data.dragoman.fields.
func usesLibrary(ref ast.Ref) bool {
	if len(ref) < 2 {
		return true
	}
	first, ok := ref[1].Value.(ast.String)
	if !ok || string(first) == reservedKey && len(ref) == 2 {
		return true
	}
	if string(first) != reservedKey {
		return false
	}
	second, ok := ref[2].Value.(ast.String)
	return !ok || second == "main" || second == "fields"
}

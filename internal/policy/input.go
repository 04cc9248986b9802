package policy

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
)

// sit prepares what an engine needs of a session: the input's static part and
// the prefix of its keys, which has the volatile fields only if the policy
// refers to them.
func (e *Engine) sit(id identity.Identity, target Target, session Session) *sitting {
	if id.Groups == nil {
		id.Groups = []string{}
	}
	if id.Actors == nil {
		id.Actors = []string{}
	}
	if target.Labels == nil {
		target.Labels = map[string]string{}
	}
	s := &sitting{engine: e}
	for _, part := range []struct {
		name  string
		value any
	}{{"version", InputVersion}, {"identity", id}, {"target", target}, {"session", session}} {
		v, err := ast.InterfaceToValue(part.value)
		if err != nil {
			return &sitting{engine: e, err: err}
		}
		s.static = append(s.static, [2]*ast.Term{ast.StringTerm(part.name), ast.NewTerm(v)})
	}
	body, err := json.Marshal(e.stable(id, target, session))
	if err != nil {
		return &sitting{engine: e, err: err}
	}
	sum := sha256.Sum256(body)
	s.prefix = string(sum[:])
	return s
}

// stable is what of the session's identity a verdict depends on.
func (e *Engine) stable(id identity.Identity, target Target, session Session) any {
	if !e.refs.claims {
		id.Claims = nil
	}
	if !e.refs.tokenID {
		id.TokenID = ""
	}
	if !e.refs.expires {
		id.Expires = time.Time{}
	}
	if !e.refs.id {
		session.ID = ""
	}
	if !e.refs.started {
		session.Started = time.Time{}
	}
	if !e.refs.client {
		session.Client = ""
	}
	if !e.refs.app {
		session.Application = ""
	}
	if !e.refs.database {
		session.Database = ""
	}
	if !e.refs.dbUser {
		session.User = ""
	}
	return Input{Version: InputVersion, Identity: id, Target: target, Session: session}
}

// inputValue builds the input document. Lists are never null.
func inputValue(s *sitting, a *action.Action) (ast.Value, error) {
	act, err := actionTerm(a)
	if err != nil {
		return nil, err
	}
	items := append(make([][2]*ast.Term, 0, len(s.static)+1), s.static...)
	return ast.NewObject(append(items, ast.Item(ast.StringTerm("action"), act))...), nil
}

func actionTerm(a *action.Action) (*ast.Term, error) {
	features := make([][2]*ast.Term, 0, len(a.Features))
	for k, v := range a.Features {
		val, err := ast.InterfaceToValue(v)
		if err != nil {
			return nil, err
		}
		features = append(features, ast.Item(ast.StringTerm(k), ast.NewTerm(val)))
	}
	functions := make([]*ast.Term, 0, len(a.Functions))
	for _, f := range a.Functions {
		functions = append(functions, ast.ObjectTerm(
			item("schema", f.Schema), item("name", f.Name), item("volatility", f.Volatility),
			ast.Item(ast.StringTerm("opaque"), ast.BooleanTerm(f.Opaque))))
	}
	params := make([]*ast.Term, 0, len(a.Params))
	for _, p := range a.Params {
		fields := [][2]*ast.Term{item("value", p.Value)}
		if p.Name != "" {
			fields = append(fields, item("name", p.Name))
		}
		if p.Null {
			fields = append(fields, ast.Item(ast.StringTerm("null"), ast.BooleanTerm(true)))
		}
		if p.Encoding != "" {
			fields = append(fields, item("encoding", p.Encoding))
		}
		params = append(params, ast.ObjectTerm(fields...))
	}
	return ast.ObjectTerm(
		item("kind", a.Kind), ast.Item(ast.StringTerm("verbs"), stringsTerm(a.Verbs)),
		ast.Item(ast.StringTerm("reads"), objectsTerm(a.Reads)),
		ast.Item(ast.StringTerm("writes"), objectsTerm(a.Writes)),
		ast.Item(ast.StringTerm("functions"), ast.ArrayTerm(functions...)),
		ast.Item(ast.StringTerm("features"), ast.ObjectTerm(features...)),
		item("text", a.Text), ast.Item(ast.StringTerm("params"), ast.ArrayTerm(params...)),
		item("fingerprint", a.Fingerprint),
	), nil
}

func item(key, value string) [2]*ast.Term {
	return ast.Item(ast.StringTerm(key), ast.StringTerm(value))
}

func stringsTerm(in []string) *ast.Term {
	out := make([]*ast.Term, 0, len(in))
	for _, s := range in {
		out = append(out, ast.StringTerm(s))
	}
	return ast.ArrayTerm(out...)
}

func objectsTerm(in []action.Object) *ast.Term {
	out := make([]*ast.Term, 0, len(in))
	for _, o := range in {
		out = append(out, ast.ObjectTerm(item("schema", o.Schema), item("name", o.Name),
			ast.Item(ast.StringTerm("columns"), stringsTerm(o.Columns)),
			ast.Item(ast.StringTerm("resolved"), ast.BooleanTerm(o.Resolved))))
	}
	return ast.ArrayTerm(out...)
}

package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/internal/action"
)

// Values are globs of which one must match. In YAML, a list, or one value alone.
type Values []string

// UnmarshalYAML takes a list or one value; true and 7 are their texts.
func (v *Values) UnmarshalYAML(n *yaml.Node) error {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	*v = Values{}
	for _, one := range nodes {
		if one.Kind != yaml.ScalarNode {
			return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: a value must be a text, a number, true or false, or a list of these", one.Line)}}
		}
		*v = append(*v, one.Value)
	}
	return nil
}

// verbs are those of Verbs and Methods.
func (w When) verbs() []string {
	out := slices.Clone(w.Verbs)
	for _, m := range w.Methods {
		out = append(out, strings.ToLower(m))
	}
	return out
}

func (w When) aboutHTTP() bool {
	return len(w.Methods)+len(w.Query)+len(w.Headers)+len(w.Body) > 0 || len(w.Paths) > 0 && !w.aboutSSH() && !w.aboutForward()
}

func (w When) aboutTools() bool { return len(w.Tools)+len(w.Arguments) > 0 }

// kinds are those that the rule names or implies.
func (w When) kinds() []string {
	switch {
	case w.aboutHTTP():
		return []string{action.KindHTTP}
	case w.aboutTools():
		return []string{action.KindMCPTool}
	case w.aboutKube():
		return []string{action.KindKube}
	case len(w.Commands) > 0:
		return w.commandKinds()
	}
	return w.Kinds
}

// fields is what the rule says of parameters, for fields.rego.
func (w When) fields() []any {
	out := []any{}
	for _, part := range []struct {
		under string
		named map[string]Values
	}{{"query/", w.Query}, {"header/", w.Headers}, {"body/", w.Body}, {"arguments/", w.Arguments}} {
		for _, name := range slices.Sorted(maps.Keys(part.named)) {
			out = append(out, map[string]any{
				"name": globEscaper.Replace(part.under + strings.ToLower(name)), "values": globs(part.named[name]),
			})
		}
	}
	return out
}

// validateHTTP says what is wrong with what is of HTTP and MCP, or "".
func (w When) validateHTTP() string {
	for _, k := range w.Kinds {
		switch {
		case w.aboutHTTP() && k != action.KindHTTP:
			return "methods, paths, query, headers and body are of the kind http only"
		case w.aboutTools() && k != action.KindMCPTool:
			return "tools and arguments are of the kind mcp.tool only"
		}
	}
	switch {
	case w.aboutHTTP() && w.aboutTools():
		return "methods, paths, query, headers and body are of HTTP, tools and arguments of MCP: write two rules"
	case len(w.Methods) > 0 && len(w.Verbs) > 0:
		return "methods and verbs mean the same for HTTP: use one of them"
	case (w.aboutHTTP() || w.aboutTools()) && len(w.Tables)+len(w.Columns) > 0:
		return "tables and columns are of SQL: write two rules"
	}
	for _, m := range w.Methods {
		if m == "" || strings.ToUpper(m) != m && strings.ToLower(m) != m || strings.ContainsAny(m, " */?") {
			return fmt.Sprintf("methods: %q is not a method", m)
		}
	}
	for _, p := range w.Paths {
		if w.aboutForward() {
			if msg := validDestination(p); msg != "" {
				return msg
			}
			continue
		}
		if w.aboutSSH() && strings.HasPrefix(p, "~/") { // the login's home
			p = p[1:]
		}
		if msg := validPath(p); msg != "" {
			return msg
		}
	}
	return w.validateFields()
}

func (w When) validateFields() string {
	for what, named := range map[string]map[string]Values{"query": w.Query, "headers": w.Headers, "body": w.Body, "arguments": w.Arguments} {
		for name, values := range named {
			if name == "" || len(values) == 0 {
				return fmt.Sprintf("%s: %q needs at least one value; \"*\" is any", what, name)
			}
			if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "$") {
				return fmt.Sprintf("%s: %q: write the path without a slash in front, as in user/role or items/*/id", what, name)
			}
		}
	}
	return ""
}

// validPath says what is wrong with a glob over paths: it must be able to match a
// path that was normalised.
func validPath(p string) string {
	switch {
	case !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*"):
		return fmt.Sprintf("paths: %q does not begin with / (the host is the target's)", p)
	case strings.ContainsAny(p, "#\\ ") || strings.Contains(p, "//"):
		return fmt.Sprintf("paths: %q has a character that no path has; * is any text within a segment, ** across segments", p)
	case strings.Contains(p+"/", "/../") || strings.Contains(p+"/", "/./"):
		return fmt.Sprintf("paths: %q has a dot segment; paths are normalised before they are judged", p)
	}
	return ""
}

// ruleRefs says whether any rule of the bundle names fields, and whether any
// depends on bodies.
func ruleRefs(data map[string]any) (named, body bool) {
	dragoman, _ := data[reservedKey].(map[string]any)
	rules, _ := dragoman["rules"].([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		when, _ := rule["when"].(map[string]any)
		fields, _ := when["fields"].([]any)
		named = named || len(fields) > 0
		for _, f := range fields {
			field, _ := f.(map[string]any)
			name, _ := field["name"].(string)
			body = body || strings.HasPrefix(name, "body/")
		}
		features, _ := when["features"].(map[string]any)
		for name := range features {
			body = body || bodyFeature(name)
		}
	}
	return named, body
}

// bodyFeature reports whether a feature may come from a request's body.
func bodyFeature(name string) bool {
	switch name {
	case "body", action.FeatureUnparsed, action.FeatureAmbiguous, action.FeatureMethodOverride,
		action.FeatureBodyTooLarge, action.FeatureOpaqueBody:
		return true
	}
	return false
}

// readsBody reports whether a reference to input.<path> may see a body.
func readsBody(path []string) bool {
	switch {
	case len(path) == 0:
		return true
	case path[0] != "action":
		return false
	case len(path) == 1, path[1] == "params":
		return true
	}
	return path[1] == "features" && (len(path) == 2 || bodyFeature(path[2]))
}

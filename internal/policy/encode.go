package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/mask"
)

// Names of the built-in rule groups that Source.Off can turn off.
const (
	BuiltinSession = "session" // harmless session statements
	BuiltinConnect = "connect" // opening a session for whom any rule is about
	BuiltinMCP     = "mcp"     // initialize, ping, lists and notifications of MCP, for whom any rule is about

	BuiltinKube        = "kube"         // discovery, and questions about oneself, for whom any rule is about
	BuiltinKubeSecrets = "kube-secrets" // masks the data of secrets
	BuiltinKubeTokens  = "kube-tokens"  // masks tokens of service accounts that are made and reviewed
	BuiltinKubeEnv     = "kube-env"     // masks the values of environment variables
)

var builtins = []string{BuiltinSession, BuiltinConnect, BuiltinMCP, BuiltinKube, BuiltinKubeSecrets, BuiltinKubeTokens, BuiltinKubeEnv}

// reservedKey is the key of the data document that the loader fills:
// data.dragoman.rules, data.dragoman.masks and data.dragoman.off.
const reservedKey = "dragoman"

// encode turns rules and masks into the form that library.rego reads: every
// field present, globs split and escaped, and the rules' indexes by group, so that
// the cost of a verdict goes with the rules for one's own groups.
func encode(rules []Rule, masks []MaskRule, off []string) map[string]any {
	rs, anyone, byGroup := make([]any, 0, len(rules)), []any{}, map[string]any{}
	for i, r := range rules {
		if len(r.When.Groups) == 0 {
			anyone = append(anyone, i)
		}
		for _, g := range r.When.Groups {
			of, _ := byGroup[g].([]any)
			byGroup[g] = append(of, i)
		}
		rs = append(rs, map[string]any{"verdict": r.Verdict, "when": encodeWhen(r.When), "out": encodeOut(r)})
	}
	ms := make([]any, 0, len(masks))
	for _, m := range masks {
		ms = append(ms, map[string]any{
			"groups": list(m.Groups), "except_groups": list(m.ExceptGroups),
			"targets": globs(m.Targets), "subjects": globs(m.Subjects), "paths": globs(m.Paths), "tools": globs(m.Tools),
			"resources": globs(m.Resources),
			"out": map[string]any{
				"name": m.Name, "columns": list(m.Columns), "detectors": list(m.Detectors), "way": m.Way,
				"keep_first": m.KeepFirst, "keep_last": m.KeepLast, "predicates": m.Predicates,
				"json": list(m.JSON), "fields": list(m.Fields), "opaque": m.Opaque,
			},
		})
	}
	return map[string]any{"rules": rs, "anyone": anyone, "by_group": byGroup, "masks": ms, "off": list(off)}
}

func encodeOut(r Rule) map[string]any {
	out := map[string]any{
		"verdict": r.Verdict, "rule": r.Name, "reason": r.Reason, "hint": r.Hint,
		"features_allowed": list(r.FeaturesAllowed),
	}
	if out["reason"] == "" {
		out["reason"] = r.Description
	}
	if r.Verdict == "hold" {
		out["approvers"], out["quorum"], out["timeout"] = list(r.Approvers), max(r.Quorum, 1), timeoutText(r.Timeout)
		if r.ShapeFor > 0 {
			out["shape_for"], out["shape_pool"] = timeoutText(r.ShapeFor), r.ShapePool
		}
	}
	return out
}

func timeoutText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func encodeWhen(w When) map[string]any {
	labels, features := map[string]any{}, map[string]any{}
	for k, v := range w.Labels {
		labels[k] = v
	}
	for k, v := range w.Features {
		features[k] = v
	}
	return map[string]any{
		"groups": list(w.Groups), "subjects": globs(w.Subjects), "agents_only": w.AgentsOnly,
		"issuers": list(w.Issuers), "targets": globs(w.Targets), "labels": labels,
		"kinds": list(w.kinds()), "verbs": list(w.verbs()), "features": features,
		"paths": globs(w.Paths), "tools": globs(append(slices.Clone(w.Tools), w.Commands...)), "fields": w.fields(),
		"resources": globs(w.Resources), "namespaces": globs(w.Namespaces), "names": globs(w.Names), "urls": globs(w.URLs),
		"tables": dotted(w.Tables, 2), "columns": dotted(w.Columns, 3), "functions": dotted(w.Functions, 2),
	}
}

func list(in []string) []any {
	out := make([]any, 0, len(in))
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

// globEscaper makes OPA's glob.match know `*` and `?` only.
var globEscaper = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)

func globs(in []string) []any {
	out := make([]any, 0, len(in))
	for _, s := range in {
		out = append(out, globEscaper.Replace(s))
	}
	return out
}

// dotted encodes patterns that validate has accepted.
func dotted(in []string, n int) []any {
	out := make([]any, 0, len(in))
	for _, p := range in {
		if parts, err := splitPattern(p, n); err == nil {
			out = append(out, globs(parts))
		}
	}
	return out
}

// checkEncoded refuses a bundle whose rules are not in the form of encode, as
// from another version of it, and masks that do not compile.
func checkEncoded(b Bundle) error {
	part, ok := b.Data[reservedKey]
	if !ok {
		return nil
	}
	dragoman, _ := part.(map[string]any)
	for _, k := range []string{"rules", "anyone", "masks", "off"} {
		if _, ok := dragoman[k].([]any); !ok {
			return &Problem{File: "bundle", Message: "data.dragoman." + k + " is not a list"}
		}
	}
	if _, ok := dragoman["by_group"].(map[string]any); !ok {
		return &Problem{File: "bundle", Message: "data.dragoman.by_group is not an object"}
	}
	for _, m := range dragoman["masks"].([]any) {
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("policy masks: %w", err)
		}
		var in struct {
			Out mask.Spec `json:"out"`
		}
		if err := json.Unmarshal(body, &in); err != nil {
			return fmt.Errorf("policy masks: %w", err)
		}
		if _, err := mask.Compile([]mask.Spec{in.Out}, nil); err != nil {
			return &Problem{File: "masks", Message: fmt.Sprintf("mask %s: %v", in.Out.Name, err)}
		}
	}
	return nil
}

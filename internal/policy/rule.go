package policy

import (
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/mask"
)

// Rule is one entry of `rules:`. docs/policy.md describes every field.
type Rule struct {
	// Name identifies the rule in decisions, records and error details. Required, unique.
	Name        string `yaml:"name"`
	Description string `yaml:"description,omitempty"`
	// Verdict is "allow", "hold" or "block". Required.
	Verdict string `yaml:"verdict"`
	When    When   `yaml:"when,omitempty"`
	// Approvers are groups whose members may approve; required for a hold.
	Approvers []string `yaml:"approvers,omitempty"`
	// Quorum is how many different people must approve; 0 means 1.
	Quorum int `yaml:"quorum,omitempty"`
	// Timeout is how long a hold waits ("5m"); 0 means the target's default.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// ShapeFor is for how long a hold's shape may be approved; 0: each action is asked for. ShapePool extends
	// that to all connections of one credential.
	ShapeFor  time.Duration `yaml:"shape_for,omitempty"`
	ShapePool bool          `yaml:"shape_pool,omitempty"`
	// Reason and Hint are shown to the agent.
	Reason string `yaml:"reason,omitempty"`
	Hint   string `yaml:"hint,omitempty"`
	// FeaturesAllowed names dangerous features (docs/policy.md lists them) that an
	// allow or hold rule lets through.
	FeaturesAllowed []string `yaml:"features_allowed,omitempty"`
}

// When says which actions a rule is about. A list that is empty matches
// anything; a list that is not matches when one of its entries does; all fields
// must match. Globs know `*` (any run of characters) and `?` (one character).
type When struct {
	Groups     []string          `yaml:"groups,omitempty"`
	Subjects   []string          `yaml:"subjects,omitempty"`    // globs over any actor of the chain
	AgentsOnly bool              `yaml:"agents_only,omitempty"` // an agent acts, or somebody acts for somebody else
	Issuers    []string          `yaml:"issuers,omitempty"`
	Targets    []string          `yaml:"targets,omitempty"` // globs over the target's name
	Labels     map[string]string `yaml:"labels,omitempty"`  // all of these labels on the target
	Kinds      []string          `yaml:"kinds,omitempty"`
	Verbs      []string          `yaml:"verbs,omitempty"`
	Tables     []string          `yaml:"tables,omitempty"`    // globs over schema.table
	Columns    []string          `yaml:"columns,omitempty"`   // globs over schema.table.column
	Functions  []string          `yaml:"functions,omitempty"` // globs over schema.function
	Features   map[string]any    `yaml:"features,omitempty"`  // true, false, or the value

	// Of HTTP requests; they imply the kind http.
	Methods []string          `yaml:"methods,omitempty"` // like verbs, in upper or lower case
	Paths   []string          `yaml:"paths,omitempty"`   // globs over the path; * stays within a segment, ** does not
	Query   map[string]Values `yaml:"query,omitempty"`   // parameters of the query
	Headers map[string]Values `yaml:"headers,omitempty"` // selected header fields
	Body    map[string]Values `yaml:"body,omitempty"`    // fields of a JSON body or form: user/role, items/*/id
	// Of SSH; the kinds exec and shell, and for Paths with these or sftp as Kinds.
	Commands []string `yaml:"commands,omitempty"` // globs over the names of the programs that a command runs
	// Of Kubernetes calls; they imply the kind kube.
	Resources  []string `yaml:"resources,omitempty"`  // globs over resource.group/subresource: pods, pods/log, deployments.apps
	Namespaces []string `yaml:"namespaces,omitempty"` // globs over the namespace
	Names      []string `yaml:"names,omitempty"`      // globs over the object's name
	URLs       []string `yaml:"urls,omitempty"`       // globs over paths that are not of resources: /version, /metrics
	// Of MCP tool calls; they imply the kind mcp.tool.
	Tools     []string          `yaml:"tools,omitempty"` // globs over the tool's name
	Arguments map[string]Values `yaml:"arguments,omitempty"`
}

// MaskRule is one entry of `masks:`: a mask.Spec and who it is for.
type MaskRule struct {
	Name       string   `yaml:"name"`
	Columns    []string `yaml:"columns,omitempty"`
	Detectors  []string `yaml:"detectors,omitempty"`
	Way        string   `yaml:"way,omitempty"`
	KeepFirst  int      `yaml:"keep_first,omitempty"`
	KeepLast   int      `yaml:"keep_last,omitempty"`
	Predicates string   `yaml:"predicates,omitempty"`
	JSON       []string `yaml:"json,omitempty"`
	Fields     []string `yaml:"fields,omitempty"`
	Opaque     string   `yaml:"opaque,omitempty"`
	// Groups: only for members of one of these; empty means everybody.
	Groups []string `yaml:"groups,omitempty"`
	// ExceptGroups: not for members of one of these.
	ExceptGroups []string `yaml:"except_groups,omitempty"`
	Targets      []string `yaml:"targets,omitempty"`   // globs over the target's name
	Subjects     []string `yaml:"subjects,omitempty"`  // globs over any actor of the chain
	Paths        []string `yaml:"paths,omitempty"`     // globs over the path of an HTTP request
	Tools        []string `yaml:"tools,omitempty"`     // globs over the name of an MCP tool
	Resources    []string `yaml:"resources,omitempty"` // globs over the resource of a Kubernetes call; its subresources count as it
}

// Spec is the rule's part that the mask package knows.
func (m MaskRule) Spec() mask.Spec {
	return mask.Spec{Name: m.Name, Columns: m.Columns, Detectors: m.Detectors, Way: m.Way,
		KeepFirst: m.KeepFirst, KeepLast: m.KeepLast, Predicates: m.Predicates,
		JSON: m.JSON, Fields: m.Fields, Opaque: m.Opaque}
}

// validate says what is wrong with the rule, or "".
func (r Rule) validate() string {
	switch r.Verdict {
	case "allow", "block":
		if len(r.Approvers) > 0 || r.Quorum != 0 || r.Timeout != 0 || r.ShapeFor != 0 || r.ShapePool {
			return "approvers, quorum, timeout, shape_for and shape_pool are for verdict hold only"
		}
	case "hold":
		if len(r.Approvers) == 0 {
			return "a hold needs approvers: the groups whose members may approve"
		}
	default:
		return fmt.Sprintf("verdict %q is not one of allow, hold, block", r.Verdict)
	}
	if r.Name == "" {
		return "a rule needs a name"
	}
	if r.Quorum < 0 || r.Timeout < 0 {
		return "quorum and timeout cannot be negative"
	}
	if r.ShapeFor < 0 || r.ShapeFor > hold.MaxShape || r.ShapePool && r.ShapeFor == 0 {
		return "shape_for is between 0 and 8h, and shape_pool needs it"
	}
	if r.Verdict == "block" && len(r.FeaturesAllowed) > 0 {
		return "features_allowed is for verdict allow or hold only"
	}
	return r.When.validate(r.FeaturesAllowed)
}

func (w When) validate(allowed []string) string {
	for _, f := range allowed {
		if !isDangerous(f) {
			return fmt.Sprintf("features_allowed: %q is not one of %s", f, strings.Join(DangerousFeatures(), ", "))
		}
	}
	for _, v := range w.Verbs {
		if v != strings.ToLower(v) {
			return fmt.Sprintf("verb %q must be in lower case", v)
		}
	}
	if msg := w.validateHTTP(); msg != "" {
		return msg
	}
	if msg := w.validateSSH(); msg != "" {
		return msg
	}
	if msg := w.validateKube(); msg != "" {
		return msg
	}
	for k, v := range w.Features {
		switch v.(type) {
		case bool, string, int, int64, uint64, float64:
		default:
			return fmt.Sprintf("features: %s must be true, false, a number or a string", k)
		}
	}
	for _, l := range []struct {
		name string
		max  int
		list []string
	}{{"tables", 2, w.Tables}, {"columns", 3, w.Columns}, {"functions", 2, w.Functions}} {
		for _, p := range l.list {
			if _, err := splitPattern(p, l.max); err != nil {
				return l.name + ": " + err.Error()
			}
		}
	}
	return ""
}

func (m MaskRule) validate() string {
	if m.Name == "" {
		return "a mask needs a name"
	}
	if len(m.Paths) > 0 && len(m.Tools) > 0 {
		return "paths are of HTTP requests and tools of MCP: write two masks"
	}
	if len(m.Resources) > 0 && len(m.Paths)+len(m.Tools) > 0 {
		return "resources are of Kubernetes: write two masks"
	}
	if msg := (When{Resources: m.Resources}).validateKube(); msg != "" {
		return msg
	}
	for _, p := range m.Paths {
		if msg := validPath(p); msg != "" {
			return msg
		}
	}
	if _, err := mask.Compile([]mask.Spec{m.Spec()}, nil); err != nil {
		return strings.TrimPrefix(err.Error(), "mask "+m.Name+": ")
	}
	return ""
}

// splitPattern splits a dotted glob into exactly n parts; parts that are missing
// in front become "*".
func splitPattern(p string, n int) ([]string, error) {
	parts := strings.Split(p, ".")
	if len(parts) > n {
		return nil, fmt.Errorf("%q has more than %d parts", p, n)
	}
	for _, s := range parts {
		if s == "" {
			return nil, fmt.Errorf("%q has an empty part", p)
		}
	}
	out := make([]string, 0, n)
	for range n - len(parts) {
		out = append(out, "*")
	}
	return append(out, parts...), nil
}

package policy

import (
	"fmt"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

// plan is a mask plan as the invariants need it.
type plan struct {
	specs    []mask.Spec
	compiled *mask.Plan
	columns  bool // some column is masked
}

func newPlan(specs []mask.Spec) (*plan, error) {
	p := &plan{specs: specs}
	var err error
	p.compiled, err = mask.Compile(specs, nil)
	p.columns = slices.ContainsFunc(specs, func(s mask.Spec) bool { return len(s.Columns) > 0 })
	return p, err
}

// invariants are what masks ask of a statement, whatever the rules say. nil
// means that they hold.
func (en *entry) invariants(a *action.Action, st *sql.Statement) *Decision {
	p := en.plan
	if !p.columns {
		return nil
	}
	for _, f := range []string{featureStatistics, featureSessionTexts, featureLargeObject} {
		if a.Has(f) && !slices.Contains(en.features, f) {
			return p.block(RuleSideChannel, "it could show masked values past the masks ("+f+")",
				"read the tables themselves; their masked columns come back masked")
		}
	}
	if d := p.rename(a); d != nil && !slices.Contains(en.features, action.FeatureRename) {
		return d
	}
	if st == nil {
		if a.Kind != action.KindSQL && a.Kind != action.KindFunction || slices.Contains(en.features, action.FeatureUnresolved) {
			return nil
		}
		return p.unresolved()
	}
	for _, c := range st.Probes {
		if spec, ok := p.compiled.Covers(c); ok && spec.Predicates != mask.PredicatesAllow {
			return p.block(RulePredicate, fmt.Sprintf("the masked column %s may not be compared or computed with: which rows come back, an error or NULL would tell about it", c),
				fmt.Sprintf("use another column than %s in WHERE, JOIN, ORDER BY, GROUP BY, DISTINCT, CASE and calculations", c.Name))
		}
	}
	if d := p.flows(st); d != nil {
		return d
	}
	if st.Returns && unknownOutputs(st) && !slices.Contains(en.features, action.FeatureUnresolved) {
		return p.unresolved()
	}
	return nil
}

// rename blocks what would give a table with masked columns, or such a column,
// a name that the masks do not know.
func (p *plan) rename(a *action.Action) *Decision {
	if !a.Has(action.FeatureRename) {
		return nil
	}
	for _, w := range a.Writes {
		if _, ok := p.compiled.Covers(sql.Column{Schema: w.Schema, Table: w.Name}); ok {
			return p.block(RuleRename, fmt.Sprintf("masked columns of %s would be known by another name", strings.Trim(w.Schema+"."+w.Name, ".")),
				"have the masks changed first, by whoever keeps the policy")
		}
	}
	return nil
}

func (p *plan) flows(st *sql.Statement) *Decision {
	for _, f := range st.Flows {
		for _, from := range f.From {
			if from == f.To {
				continue
			}
			if _, ok := p.compiled.Covers(from); ok {
				to := f.To.Schema + "." + f.To.Table
				if f.To.Name != "" {
					to = f.To.String()
				}
				return p.block(RuleWrite, fmt.Sprintf("the masked column %s may not be copied to %s", from, to),
					fmt.Sprintf("leave %s out", from.Name))
			}
		}
	}
	return nil
}

// unknownOutputs reports whether any column of the result has unknown origins.
// What another statement returns (EXECUTE, FETCH) is judged with that one.
func unknownOutputs(st *sql.Statement) bool {
	if st.Inner != nil && st.Effects&(sql.EffectExecute|sql.EffectFetch) != 0 {
		return false
	}
	return st.Outputs == nil || slices.ContainsFunc(st.Outputs, func(o sql.Output) bool { return o.Unknown })
}

func (p *plan) unresolved() *Decision {
	return p.block(RuleUnresolved, "where the columns of the result come from is not known, and some columns are masked",
		"name the tables and columns directly, without functions that return rows")
}

func (p *plan) block(rule, reason, hint string) *Decision {
	return &Decision{Rule: rule, Reason: reason, Hint: hint, Mask: p.specs}
}

package backtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

// plan is a compiled mask plan.
type plan struct {
	specs     []mask.Spec
	compiled  *mask.Plan
	columns   []mask.Spec       // those that name columns
	single    []*mask.Plan      // each of these alone
	free      bool              // one of these lets predicates be
	detectors map[string]string // those of specs without columns, with what is done
}

func newPlan(specs []mask.Spec) *plan {
	p := &plan{specs: specs, detectors: map[string]string{}}
	var err error
	if p.compiled, err = mask.Compile(specs, nil); err != nil {
		// Recorded by a version that knew other masks: nothing can be said but that they differ.
		p.compiled = nil
	}
	for _, s := range specs {
		if len(s.Columns) > 0 {
			p.columns = append(p.columns, s)
			one, err := mask.Compile([]mask.Spec{s}, nil)
			if err != nil {
				one = nil
			}
			p.single = append(p.single, one)
			p.free = p.free || s.Predicates == mask.PredicatesAllow
			continue
		}
		if len(s.JSON)+len(s.Fields) > 0 {
			p.named(&s)
			continue
		}
		for _, d := range s.Detectors {
			if _, ok := p.detectors[d]; !ok {
				p.detectors[d] = wayOf(&s)
			}
		}
	}
	return p
}

// Values that specs name in content are kept among the detectors, under these.
const (
	atPath  = "what is at "
	atField = "the field "
)

// named keeps what a spec does with the values that it names by JSON path and field.
func (p *plan) named(s *mask.Spec) {
	for under, names := range map[string][]string{atPath: s.JSON, atField: s.Fields} {
		for _, n := range names {
			if _, ok := p.detectors[under+n]; !ok {
				p.detectors[under+n] = wayOf(s)
			}
		}
	}
}

// wayOf is what a spec does, in words that are equal when it is the same.
func wayOf(s *mask.Spec) string {
	way := s.Way
	if way == "" {
		way = mask.WayRedact
	}
	if s.KeepFirst > 0 || s.KeepLast > 0 {
		way += fmt.Sprintf(" (keeps %d first, %d last)", s.KeepFirst, s.KeepLast)
	}
	if len(s.Columns)+len(s.JSON)+len(s.Fields) > 0 && len(s.Detectors) > 0 {
		way += " of " + strings.Join(s.Detectors, ", ")
	}
	return way
}

// sameColumns reports whether two plans ask the same of statements, and so of their lineage.
func sameColumns(a, b *plan) bool {
	return a == b || slices.EqualFunc(a.columns, b.columns, func(x, y mask.Spec) bool {
		return slices.Equal(x.Columns, y.Columns) && (x.Predicates == mask.PredicatesAllow) == (y.Predicates == mask.PredicatesAllow)
	})
}

// covers is what a plan does with a column: "" nothing.
func (p *plan) covers(c sql.Column) (way string, free bool) {
	s, ok := p.compiled.Covers(c)
	if !ok {
		return "", true
	}
	return wayOf(s), s.Predicates == mask.PredicatesAllow
}

// asks reports whether the plan asks something of a column: not to be in a predicate, or not to be copied.
func (p *plan) asks(c sql.Column, predicates bool) bool {
	way, free := p.covers(c)
	return way != "" && !(predicates && free)
}

// anySpec reports whether any spec alone would ask something of a column, but for those that plan but has as well.
func (p *plan) anySpec(c sql.Column, predicates bool, but *plan) bool {
	for i, s := range p.columns {
		if predicates && s.Predicates == mask.PredicatesAllow {
			continue
		}
		if but != nil && !but.free && slices.ContainsFunc(but.columns, func(o mask.Spec) bool { return slices.Equal(o.Columns, s.Columns) }) {
			continue
		}
		if _, ok := p.single[i].Covers(c); ok {
			return true
		}
	}
	return false
}

// mayAsk reports whether the plan may ask something of what an action reads. A column may be masked by its name in another
// table: that of which its own is a partition, or from which it inherits.
func (p *plan) mayAsk(a *action.Action, predicates bool) bool {
	return slices.ContainsFunc(columnsOf(a), func(c sql.Column) bool {
		if c.Name != "" {
			c = sql.Column{Name: c.Name}
		}
		return p.anySpec(c, predicates, nil)
	})
}

// elsewhere reports whether a column that decides about rows, or is copied, is masked by its name in another table only.
func (p *plan) elsewhere(st *sql.Statement) bool {
	other := func(predicates bool) func(sql.Column) bool {
		return func(c sql.Column) bool {
			return !p.asks(c, predicates) && p.anySpec(sql.Column{Name: c.Name}, predicates, nil)
		}
	}
	return slices.ContainsFunc(st.Probes, other(true)) ||
		slices.ContainsFunc(st.Flows, func(f sql.Flow) bool { return slices.ContainsFunc(f.From, other(false)) })
}

const keepPlans = 4096

// masks keeps plans: recorded ones by their JSON, the policy's own by their slice, which it shares.
type masks struct {
	recorded map[string]*plan
	own      map[*mask.Spec]*plan
	none     *plan
}

func newMasks() masks {
	return masks{recorded: map[string]*plan{}, own: map[*mask.Spec]*plan{}, none: newPlan(nil)}
}

func (m *masks) of(raw json.RawMessage) *plan {
	if p, ok := m.recorded[string(raw)]; ok {
		return p
	}
	if len(raw) == 0 {
		return m.none
	}
	var specs []mask.Spec
	if err := json.Unmarshal(raw, &specs); err != nil {
		specs = nil
	}
	p := newPlan(specs)
	if len(m.recorded) >= keepPlans {
		clear(m.recorded)
	}
	m.recorded[string(raw)] = p
	return p
}

func (m *masks) ownOf(specs []mask.Spec) *plan {
	if len(specs) == 0 {
		return m.none
	}
	p, ok := m.own[&specs[0]]
	if !ok || len(p.specs) != len(specs) {
		if len(m.own) >= keepPlans {
			clear(m.own)
		}
		p = newPlan(specs)
		m.own[&specs[0]] = p
	}
	return p
}

// columnsOf are the columns that an action reads, as far as it is recorded: an object without columns
// has the name "", which means any.
func columnsOf(a *action.Action) []sql.Column {
	var all []sql.Column
	for i := range a.Reads {
		o := &a.Reads[i]
		if len(o.Columns) == 0 {
			all = append(all, sql.Column{Schema: o.Schema, Table: o.Name})
		}
		for _, c := range o.Columns {
			all = append(all, sql.Column{Schema: o.Schema, Table: o.Name, Name: c})
		}
	}
	return all
}

// MaskChange is what is done with a column or with what a detector finds.
type MaskChange struct {
	// What is "schema.table.column", "anything like NAME" of a detector, "what is at PATH" or "the field NAME".
	What string `json:"what"`
	Old  string `json:"old"` // "" is nothing
	New  string `json:"new"`
}

// differences between two plans for what an action reads.
func differences(a *action.Action, old, now *plan) []MaskChange {
	if old == now || old.compiled == nil || now.compiled == nil {
		return nil
	}
	var all []MaskChange
	for _, c := range columnsOf(a) {
		o, _ := old.covers(c)
		n, _ := now.covers(c)
		if o != n && (c.Name != "" || o == "" || n == "") {
			name := c.String()
			if c.Name == "" {
				name += "*"
			}
			all = append(all, MaskChange{name, o, n})
		}
	}
	if !returns(a) {
		return all
	}
	for _, d := range detectorNames(old, now) {
		if o, n := old.detectors[d], now.detectors[d]; o != n {
			isNamed := strings.HasPrefix(d, atPath) || strings.HasPrefix(d, atField)
			switch {
			case !isNamed:
				d = "anything like " + d
			case a.Kind == action.KindSQL || a.Kind == action.KindFunction || a.Kind == action.KindConnect:
				continue // rows have neither
			}
			all = append(all, MaskChange{d, o, n})
		}
	}
	return all
}

func detectorNames(old, now *plan) []string {
	var names []string
	for d := range old.detectors {
		names = append(names, d)
	}
	for d := range now.detectors {
		names = append(names, d)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// returns reports whether an action may return values of the target's.
func returns(a *action.Action) bool {
	return a.Kind != action.KindSQL && a.Kind != action.KindConnect || len(a.Reads) > 0 || len(a.Functions) > 0 || slices.ContainsFunc(a.Verbs, func(v string) bool {
		return v == "execute" || v == "fetch" || v == "show"
	})
}

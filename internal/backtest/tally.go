package backtest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Bounds of a report.
const (
	maxGroups     = 20_000 // different rules, identities or targets that are counted apart
	maxListed     = 50     // of them in a report
	maxUnreadable = 20     // that are named
)

// tally counts. A worker's is its own; they are merged at the end.
type tally struct {
	examples   int
	sessions   int64
	actions    int64
	exact      int64
	carried    int64
	analysed   int64
	unsure     int64
	undecoded  int64
	otherRule  int64
	unchanged  int64
	policyErrs int64
	first      time.Time
	last       time.Time
	kinds      map[Kind]*kindTally
	bad        []Unreadable
	badN       int64
}

type kindTally struct {
	count, perhaps int64
	rules          map[rules]*Count
	identities     map[string]*Count
	targets        map[string]*Count
	examples       []Example // newest sessions first
}

// rules are which rule decided before, and which would.
type rules struct{ old, now string }

func newTally(examples int) *tally { return &tally{examples: examples, kinds: map[Kind]*kindTally{}} }

func (t *tally) unreadable(name string, err error) {
	t.badN++
	t.bad = append(t.bad, Unreadable{name, err.Error()})
	if len(t.bad) > 2*maxUnreadable {
		t.trimBad()
	}
}

func (t *tally) trimBad() {
	slices.SortFunc(t.bad, func(a, b Unreadable) int { return strings.Compare(b.File, a.File) })
	t.bad = t.bad[:min(len(t.bad), maxUnreadable)]
}

func (t *tally) kind(k Kind) *kindTally {
	kt := t.kinds[k]
	if kt == nil {
		kt = &kindTally{rules: map[rules]*Count{}, identities: map[string]*Count{}, targets: map[string]*Count{}}
		t.kinds[k] = kt
	}
	return kt
}

// count takes in one action.
func (t *tally) count(s *session, ordinal uint64, at time.Time, p *payload, v verdict, changes []change) {
	t.actions++
	switch v.certainty {
	case exact:
		t.exact++
	case carried:
		t.carried++
	case analysedAgain:
		t.analysed++
	default:
		t.unsure++
	}
	if t.first.IsZero() || at.Before(t.first) {
		t.first = at
	}
	if at.After(t.last) {
		t.last = at
	}
	if v.Rule == policyError {
		t.policyErrs++
	}
	if len(changes) == 0 {
		t.unchanged++
		if v.Rule != p.Decision.Rule {
			t.otherRule++
		}
	}
	for _, c := range changes {
		t.kind(c.kind).add(t.examples, s, ordinal, at, p, v, c)
	}
}

func (k *kindTally) add(examples int, s *session, ordinal uint64, at time.Time, p *payload, v verdict, c change) {
	var firm, perhaps int64 = 1, 0
	if c.perhaps {
		firm, perhaps = 0, 1
	}
	k.count += firm
	k.perhaps += perhaps
	count(k.rules, rules{p.Decision.Rule, c.now.Rule}, rules{others, others}, firm, perhaps)
	count(k.identities, s.who, others, firm, perhaps)
	count(k.targets, s.open.Target.Name, others, firm, perhaps)
	e := Example{Session: s.id, Ordinal: ordinal, Time: at.UTC(), Identity: s.who, Target: s.open.Target.Name, started: s.started, Perhaps: c.perhaps}
	if len(k.examples) >= examples && e.compare(&k.examples[len(k.examples)-1]) >= 0 {
		return
	}
	e.Kind, e.Text, e.Masks = p.Action.Kind, bounded(p.Action.Text), c.masks
	e.Old = Verdict{p.Decision.Verdict, p.Decision.Rule, bounded(p.Decision.Reason)}
	e.New = Verdict{c.now.Verdict, c.now.Rule, bounded(c.now.Reason)}
	if c.perhaps {
		e.Why = v.why
	}
	k.keep(examples, e)
}

func (k *kindTally) keep(examples int, e Example) {
	i, _ := slices.BinarySearchFunc(k.examples, &e, func(a Example, b *Example) int { return a.compare(b) })
	k.examples = slices.Insert(k.examples, i, e)
	k.examples = k.examples[:min(len(k.examples), examples)]
}

// compare sorts what is certain first, then the newest session, then its order.
func (e *Example) compare(o *Example) int {
	if e.Perhaps != o.Perhaps {
		if o.Perhaps {
			return -1
		}
		return 1
	}
	return cmp.Or(o.started.Compare(e.started), strings.Compare(o.Session, e.Session), cmp.Compare(e.Ordinal, o.Ordinal))
}

// others is where everything is counted that there is no more room for.
const others = "(others)"

func count[K comparable](m map[K]*Count, key, rest K, n, perhaps int64) {
	c := m[key]
	if c == nil && len(m) >= maxGroups {
		key = rest
		c = m[key]
	}
	if c == nil {
		c = &Count{}
		m[key] = c
	}
	c.Count += n
	c.Perhaps += perhaps
}

func (t *tally) merge(o *tally) {
	t.sessions += o.sessions
	t.actions += o.actions
	t.exact += o.exact
	t.carried += o.carried
	t.analysed += o.analysed
	t.unsure += o.unsure
	t.undecoded += o.undecoded
	t.otherRule += o.otherRule
	t.unchanged += o.unchanged
	t.policyErrs += o.policyErrs
	t.badN += o.badN
	t.bad = append(t.bad, o.bad...)
	t.trimBad()
	if !o.first.IsZero() && (t.first.IsZero() || o.first.Before(t.first)) {
		t.first = o.first
	}
	if o.last.After(t.last) {
		t.last = o.last
	}
	for name, k := range o.kinds {
		t.kind(name).merge(t.examples, k)
	}
}

func (k *kindTally) merge(examples int, o *kindTally) {
	k.count += o.count
	k.perhaps += o.perhaps
	for key, c := range o.rules {
		count(k.rules, key, rules{others, others}, c.Count, c.Perhaps)
	}
	for key, c := range o.identities {
		count(k.identities, key, others, c.Count, c.Perhaps)
	}
	for key, c := range o.targets {
		count(k.targets, key, others, c.Count, c.Perhaps)
	}
	for _, e := range o.examples {
		k.keep(examples, e)
	}
}

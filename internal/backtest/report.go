package backtest

import (
	"cmp"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/policy"
)

const policyError = policy.RulePolicyError

// Report is what would have been different.
type Report struct {
	Revision string `json:"revision"` // of the policy that judged
	// Partial: the run was ended before all was read.
	Partial bool `json:"partial"`
	// Since and Until are what was asked for; First and Last when what was judged happened.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`

	Sessions int64 `json:"sessions"`
	Actions  int64 `json:"actions"` // with the openings of sessions
	// Exact, Carried, Analysed and Unsure add up to Actions. Of an action that is carried, what masks ask of its lineage was
	// taken from the record; of one that is analysed, from its text; of one that is unsure, it is not known.
	Exact    int64 `json:"exact"`
	Carried  int64 `json:"carried"`
	Analysed int64 `json:"analysed"`
	Unsure   int64 `json:"unsure"`
	// Unchanged have the same verdict and masks; OtherRule of them by another rule.
	Unchanged int64 `json:"unchanged"`
	OtherRule int64 `json:"other_rule"`
	// PolicyErrors could not be evaluated by the policy, and are blocked.
	PolicyErrors int64 `json:"policy_errors"`
	// Volatile: the policy reads the clock, which stood at the time of each action, or chance.
	Volatile bool `json:"volatile"`
	// Undecoded are actions whose record could not be read; Unreadable records that could not, or not to their end.
	Undecoded   int64        `json:"undecoded"`
	Unreadable  int64        `json:"unreadable"`
	Unreadables []Unreadable `json:"unreadables"` // some of them
	Changes     []Change     `json:"changes"`     // one of each kind, in order
}

// Whole reports whether all of the history that was asked for was judged.
func (r *Report) Whole() bool { return !r.Partial && r.Undecoded == 0 && r.Unreadable == 0 }

// Unreadable is a record that does not verify, or cannot be opened.
type Unreadable struct {
	File  string `json:"file"` // relative to the store
	Error string `json:"error"`
}

// Change is one kind of change. Count is what is certain; Perhaps is what the lineage may decide otherwise.
type Change struct {
	Kind       Kind        `json:"kind"`
	Count      int64       `json:"count"`
	Perhaps    int64       `json:"perhaps"`
	Rules      []RuleCount `json:"rules"` // most first
	Identities []NameCount `json:"identities"`
	Targets    []NameCount `json:"targets"`
	// More is how many rules, identities and targets are not listed.
	More     int       `json:"more,omitempty"`
	Examples []Example `json:"examples"`
}

// Count of actions.
type Count struct {
	Count   int64 `json:"count"`
	Perhaps int64 `json:"perhaps"`
}

// RuleCount is by the rule that decided and the one that would.
type RuleCount struct {
	Old string `json:"old"`
	New string `json:"new"`
	Count
}

// NameCount is by an identity's chain or a target's name.
type NameCount struct {
	Name string `json:"name"`
	Count
}

// Verdict is a decision in short.
type Verdict struct {
	Verdict policy.Verdict `json:"verdict"`
	Rule    string         `json:"rule"`
	Reason  string         `json:"reason,omitempty"`
}

// Example is one action that a change is about. Ordinal 0 is the opening of the session.
type Example struct {
	Session  string       `json:"session"`
	Ordinal  uint64       `json:"ordinal"`
	Time     time.Time    `json:"time"`
	Identity string       `json:"identity"`
	Target   string       `json:"target"`
	Kind     string       `json:"kind"`
	Text     string       `json:"text"`
	Old      Verdict      `json:"old"`
	New      Verdict      `json:"new"`
	Masks    []MaskChange `json:"masks,omitempty"`
	Perhaps  bool         `json:"perhaps,omitempty"`
	Why      string       `json:"why,omitempty"` // it is perhaps only

	started time.Time
}

// Change of a kind.
func (r *Report) Change(k Kind) *Change {
	for i := range r.Changes {
		if r.Changes[i].Kind == k {
			return &r.Changes[i]
		}
	}
	return &Change{Kind: k}
}

func (t *tally) report(r *run, partial bool) *Report {
	rep := &Report{Revision: r.opt.Engine.Revision(), Partial: partial, Since: r.opt.Since.UTC(), Until: r.opt.Until.UTC(),
		First: t.first.UTC(), Last: t.last.UTC(), Sessions: t.sessions, Actions: t.actions, Exact: t.exact, Carried: t.carried, Analysed: t.analysed, Unsure: t.unsure,
		Unchanged: t.unchanged, OtherRule: t.otherRule, PolicyErrors: t.policyErrs, Volatile: r.opt.Engine.Volatile(),
		Undecoded: t.undecoded, Unreadable: t.badN, Unreadables: t.bad, Changes: []Change{}}
	if rep.Unreadables == nil {
		rep.Unreadables = []Unreadable{}
	}
	for _, k := range Kinds() {
		rep.Changes = append(rep.Changes, t.kind(k).change(k))
	}
	return rep
}

func (k *kindTally) change(kind Kind) Change {
	c := Change{Kind: kind, Count: k.count, Perhaps: k.perhaps, Rules: []RuleCount{}, Examples: k.examples}
	if c.Examples == nil {
		c.Examples = []Example{}
	}
	for key, n := range k.rules {
		c.Rules = append(c.Rules, RuleCount{key.old, key.now, *n})
	}
	slices.SortFunc(c.Rules, func(a, b RuleCount) int {
		return cmp.Or(most(a.Count, b.Count), cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New))
	})
	c.Rules = listed(c.Rules, &c.More)
	c.Identities = listed(names(k.identities), &c.More)
	c.Targets = listed(names(k.targets), &c.More)
	return c
}

func most(a, b Count) int {
	return cmp.Or(cmp.Compare(b.Count+b.Perhaps, a.Count+a.Perhaps), cmp.Compare(b.Count, a.Count))
}

func names(m map[string]*Count) []NameCount {
	all := []NameCount{}
	for name, n := range m {
		all = append(all, NameCount{name, *n})
	}
	slices.SortFunc(all, func(a, b NameCount) int { return cmp.Or(most(a.Count, b.Count), cmp.Compare(a.Name, b.Name)) })
	return all
}

func listed[T any](all []T, more *int) []T {
	n := min(len(all), maxListed)
	*more += len(all) - n
	return all[:n]
}

package backtest

import (
	"slices"

	"dragoman.dev/dragoman/internal/policy"
)

// Kind of change.
type Kind string

// The kinds in the order of a report. One action has at most one of the first four, and any of the masks'.
const (
	NewlyBlocked Kind = "newly-blocked"
	NewlyHeld    Kind = "newly-held"
	NewlyAllowed Kind = "newly-allowed"
	HoldChanged  Kind = "hold-changed" // other approvers, or another quorum
	Unmasked     Kind = "unmasked"
	NewlyMasked  Kind = "newly-masked"
	MaskChanged  Kind = "mask-changed" // masked before and after, in another way
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{NewlyBlocked, NewlyHeld, NewlyAllowed, HoldChanged, Unmasked, NewlyMasked, MaskChanged}
}

// change is one kind of change of one action.
type change struct {
	kind    Kind
	perhaps bool
	masks   []MaskChange
	now     *policy.Decision // what it would be
}

// changes are what is different; none is the usual case.
func (w *worker) changes(p *payload, v verdict) []change {
	var all []change
	if k := verdictChange(&p.Decision, &v); k != "" {
		all = append(all, change{kind: k, perhaps: v.certainty == unsure, now: &v.Decision})
	} else if v.certainty == unsure && v.why == whyLineage && p.Decision.Verdict != policy.Block {
		all = append(all, change{kind: NewlyBlocked, perhaps: true, now: &v.worst})
	}
	if p.Decision.Verdict == policy.Block || v.Verdict == policy.Block {
		return all
	}
	byKind := map[Kind][]MaskChange{}
	for _, m := range differences(&p.Action, v.old, v.plan) {
		k := MaskChanged
		switch {
		case m.New == "":
			k = Unmasked
		case m.Old == "":
			k = NewlyMasked
		}
		byKind[k] = append(byKind[k], m)
	}
	for _, k := range []Kind{Unmasked, NewlyMasked, MaskChanged} {
		if len(byKind[k]) > 0 {
			all = append(all, change{kind: k, masks: byKind[k], perhaps: v.certainty == unsure, now: &v.Decision})
		}
	}
	return all
}

func verdictChange(old *decision, now *verdict) Kind {
	switch {
	case now.Verdict != old.Verdict:
		switch now.Verdict {
		case policy.Allow:
			return NewlyAllowed
		case policy.Hold:
			return NewlyHeld
		}
		return NewlyBlocked
	case now.Verdict == policy.Hold && (max(now.Quorum, 1) != max(old.Quorum, 1) || !sameSet(now.Approvers, old.Approvers)):
		return HoldChanged
	}
	return ""
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

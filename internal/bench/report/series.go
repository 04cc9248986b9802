// Package report turns what rounds have measured into medians, ratios and the
// table in docs/performance.md.
package report

import (
	"math"
	"slices"
)

// Series are the values of one measure through one peer, a value a round, in the
// order of the rounds.
type Series []float64

// Median of the values; NaN when there are none.
func (s Series) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// Range are the least and the greatest.
func (s Series) Range() (low, high float64) {
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s), slices.Max(s)
}

// Max of the values; NaN when there are none.
func (s Series) Max() float64 {
	_, high := s.Range()
	return high
}

// Over divides round by round: what disturbs the machine for a while disturbs
// both, and cancels out.
func (s Series) Over(base Series) Series {
	return pairs(s, base, func(a, b float64) float64 { return a / b })
}

// Minus subtracts round by round.
func (s Series) Minus(base Series) Series {
	return pairs(s, base, func(a, b float64) float64 { return a - b })
}

func pairs(a, b Series, f func(a, b float64) float64) Series {
	var out Series
	for i := range min(len(a), len(b)) {
		out = append(out, f(a[i], b[i]))
	}
	return out
}

package report

import (
	"fmt"
	"math"
	"strings"
)

// Compare says how a measure's goal is stated.
type Compare int

const (
	None    Compare = iota // no goal; the ratio to Base is shown
	Ratio                  // dragoman / Base
	Minus                  // dragoman - Base
	Worst                  // the greatest value of dragoman itself
	Plainly                // no goal, and nothing to compare with
)

// Measure is one line of the table.
type Measure struct {
	Name string
	Unit string // "tps", "µs" …; a word for the reader
	// Values by the name of the peer. A peer without is shown as a dash.
	Values map[string]Series
	// Base is the peer that the goal compares with.
	Base    string
	Compare Compare
	// Goal is the limit; AtLeast says on which side of it is good.
	Goal    float64
	AtLeast bool
}

// Add takes in a round's value.
func (m *Measure) Add(peer string, value float64) {
	if m.Values == nil {
		m.Values = map[string]Series{}
	}
	m.Values[peer] = append(m.Values[peer], value)
}

// Table is the Markdown of all measures. The columns are the peers in order;
// subject is the one that has goals.
func Table(measures []*Measure, peers []string, subject string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measure | %s | %s compared (range of the rounds) | goal | |\n", strings.Join(peers, " | "), subject)
	fmt.Fprintf(&b, "| --- |%s --- | --- | --- |\n", strings.Repeat(" ---: |", len(peers)))
	for _, m := range measures {
		fmt.Fprintf(&b, "| %s, %s |", m.Name, m.Unit)
		for _, p := range peers {
			fmt.Fprintf(&b, " %s |", number(m.shown(p)))
		}
		compared, goal, result := m.judge(subject)
		fmt.Fprintf(&b, " %s | %s | %s |\n", compared, goal, result)
	}
	return b.String()
}

// shown is the value in a peer's column: the median, or the worst where the goal
// is about that.
func (m *Measure) shown(peer string) float64 {
	if m.Compare == Worst {
		return m.Values[peer].Max()
	}
	return m.Values[peer].Median()
}

// judge compares and says whether the goal is reached.
func (m *Measure) judge(subject string) (compared, goal, result string) {
	own, base := m.Values[subject], m.Values[m.Base]
	if len(own) == 0 {
		return "–", m.goalText(), "not measured"
	}
	var s Series
	var format string
	switch m.Compare {
	case Minus:
		s, format = own.Minus(base), "%s "+m.Unit+" more than "+m.Base
	case Worst:
		s, format = own, "%s "+m.Unit
	default:
		s, format = own.Over(base), "%s× "+m.Base
	}
	value := s.Median()
	if m.Compare == Plainly {
		return "", "", ""
	}
	if m.Compare == Worst {
		value = s.Max()
	}
	if math.IsNaN(value) {
		return "–", m.goalText(), "not measured"
	}
	low, high := s.Range()
	compared = fmt.Sprintf(format, number(value)) + fmt.Sprintf(" (%s–%s)", number(low), number(high))
	if m.Compare == None {
		return compared, "", ""
	}
	return compared, m.goalText(), m.result(value)
}

func (m *Measure) goalText() string {
	sign := "≤"
	if m.AtLeast {
		sign = "≥"
	}
	switch m.Compare {
	case None, Plainly:
		return ""
	case Ratio:
		return fmt.Sprintf("%s %s×", sign, number(m.Goal))
	}
	return fmt.Sprintf("%s %s %s", sign, number(m.Goal), m.Unit)
}

func (m *Measure) result(value float64) string {
	missed := value - m.Goal
	if m.AtLeast {
		missed = -missed
	}
	if missed <= 0 {
		return "reached"
	}
	unit := " " + m.Unit
	if m.Compare == Ratio {
		unit = "×"
	}
	return "missed by " + number(missed) + unit
}

// number has three digits that count, and no more than two behind the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

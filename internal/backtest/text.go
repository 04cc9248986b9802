package backtest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// titles of the kinds, for people.
var titles = map[Kind]string{
	NewlyBlocked: "newly blocked", NewlyHeld: "newly held", NewlyAllowed: "newly allowed", HoldChanged: "hold changed",
	Unmasked: "unmasked", NewlyMasked: "newly masked", MaskChanged: "masked in another way",
}

// maxLines of each table in the text; the JSON has more.
const maxLines = 10

// WriteText writes the report for people. What agents sent is made safe for a terminal.
func (r *Report) WriteText(to io.Writer) error {
	w := bufio.NewWriter(to)
	if r.Partial {
		fmt.Fprintln(w, "PARTIAL: ended before all was read; what follows is about what was read so far")
	}
	fmt.Fprintf(w, "policy %s\n", short(r.Revision))
	fmt.Fprintf(w, "%d actions of %d sessions%s\n", r.Actions, r.Sessions, r.span())
	fmt.Fprintf(w, "  judged exactly %d, with the lineage of the record %d, of the text %d, not surely %d\n", r.Exact, r.Carried, r.Analysed, r.Unsure)
	fmt.Fprintf(w, "  as before %d, of these by another rule %d\n", r.Unchanged, r.OtherRule)
	r.warnings(w)
	fmt.Fprintln(w)
	for i := range r.Changes {
		c := &r.Changes[i]
		fmt.Fprintf(w, "%-22s %s\n", titles[c.Kind], counted(Count{c.Count, c.Perhaps}))
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; c.Count+c.Perhaps > 0 {
			c.write(w)
		}
	}
	return w.Flush()
}

func (r *Report) span() string {
	if r.Actions == 0 {
		return ""
	}
	return fmt.Sprintf(", %s to %s", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
}

func (r *Report) warnings(w io.Writer) {
	if r.PolicyErrors > 0 {
		fmt.Fprintf(w, "  the policy failed for %d actions, which blocks them\n", r.PolicyErrors)
	}
	if r.Volatile {
		fmt.Fprintln(w, "  the policy reads the clock, which stood at the time of each action, or chance")
	}
	if r.Undecoded > 0 {
		fmt.Fprintf(w, "  %d actions could not be read\n", r.Undecoded)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "  %d records could not be read, or not to their end:\n", r.Unreadable)
		for _, u := range r.Unreadables {
			fmt.Fprintf(w, "    %s: %s\n", safe(u.File), safe(u.Error))
		}
	}
}

func (c *Change) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s\n", strings.ToUpper(titles[c.Kind]), counted(Count{c.Count, c.Perhaps}))
	fmt.Fprintln(w, "  by rule")
	for _, n := range c.Rules[:min(len(c.Rules), maxLines)] {
		fmt.Fprintf(w, "    %-12s %s → %s\n", counted(n.Count), orNone(n.Old), orNone(n.New))
	}
	writeNames(w, "identity", c.Identities)
	writeNames(w, "target", c.Targets)
	fmt.Fprintln(w, "  examples")
	for i := range c.Examples {
		c.Examples[i].write(w)
	}
}

func writeNames(w io.Writer, by string, all []NameCount) {
	fmt.Fprintln(w, "  by "+by)
	for _, n := range all[:min(len(all), maxLines)] {
		fmt.Fprintf(w, "    %-12s %s\n", counted(n.Count), safe(n.Name))
	}
	if len(all) > maxLines {
		fmt.Fprintf(w, "    … %d more (see --json)\n", len(all)-maxLines)
	}
}

func (e *Example) write(w io.Writer) {
	fmt.Fprintf(w, "    %s #%d  %s  %s on %s\n", safe(e.Session), e.Ordinal, e.Time.Format(time.RFC3339), safe(e.Identity), safe(e.Target))
	fmt.Fprintf(w, "      %s\n", safe(e.Text))
	fmt.Fprintf(w, "      %s by %s → %s%s by %s", e.Old.Verdict, orNone(e.Old.Rule), map[bool]string{true: "perhaps "}[e.Perhaps], e.New.Verdict, orNone(e.New.Rule))
	if e.New.Reason != "" {
		fmt.Fprintf(w, ": %s", safe(e.New.Reason))
	}
	fmt.Fprintln(w)
	for _, m := range e.Masks {
		fmt.Fprintf(w, "      %s: %s → %s\n", safe(m.What), orClear(m.Old), orClear(m.New))
	}
	if e.Why != "" {
		fmt.Fprintf(w, "      not sure: %s\n", e.Why)
	}
}

func counted(n Count) string {
	if n.Perhaps == 0 {
		return fmt.Sprint(n.Count)
	}
	return fmt.Sprintf("%d, perhaps %d more", n.Count, n.Perhaps)
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return safe(s)
}

func orClear(s string) string {
	if s == "" {
		return "clear"
	}
	return safe(s)
}

func short(revision string) string { return safe(revision[:min(len(revision), 12)]) }

// safe makes text printable in one line.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

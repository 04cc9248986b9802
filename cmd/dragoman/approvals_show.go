package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/internal/hold"
)

// onTerminal reports whether w shows colours: it is a terminal, and nobody has said NO_COLOR (no-color.org) or that it is a dumb one.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// printStatement writes what is held, with at most so many lines of it (0: all). What could move a cursor is shown as an escape.
func printStatement(w io.Writer, indent string, h *hold.Hold, colour bool, most int) {
	lines := strings.Split(highlight.Terminal(highlight.Action(&h.Action, h.Protocol), colour), "\n")
	for i, line := range lines {
		if most > 0 && i == most {
			fmt.Fprintf(w, "%s… and %d more lines: dragoman approvals show %s\n", indent, len(lines)-most, h.ID)
			return
		}
		fmt.Fprintln(w, indent+line)
	}
}

func printObjects(w io.Writer, name string, list []action.Object) {
	if len(list) > 0 {
		field(w, name, objects(list))
	}
}

// objects are names, separated by commas.
func objects(list []action.Object) string {
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = strings.TrimPrefix(o.Schema+"."+o.Name, ".")
	}
	return strings.Join(names, ", ")
}

// watchedLines bounds what a watch shows of a statement.
const watchedLines = 20

// printWatched is a line of a hold, and while it waits what one needs to decide.
func printWatched(w io.Writer, h hold.Hold, now time.Time) {
	const indent = "          "
	head := fmt.Sprintf("%s  %-9s  %s  %s on %s", now.Format("15:04:05"), h.State, h.ID, clean(h.Identity.Chain()), clean(h.Target))
	if !h.Open() {
		fmt.Fprintf(w, "%s: %s\n", head, short(clean(h.Action.Text), 100))
		return
	}
	fmt.Fprintf(w, "%s: %s left\n", head, h.Deadline.Sub(now).Round(time.Second))
	printStatement(w, indent+"  ", &h, onTerminal(w), watchedLines)
	say := func(format string, args ...any) { fmt.Fprintf(w, indent+format+"\n", args...) }
	for i, p := range h.Action.Params {
		v := p.Value
		if p.Null {
			v = "NULL"
		}
		say("  $%d = %s", i+1, short(clean(v), 200))
	}
	yes := 0
	for _, d := range h.Decisions {
		if d.Approve {
			yes++
		}
	}
	say("why: %s: %s; %d of %d have approved", clean(h.Rule), clean(h.Reason), yes, max(1, h.Quorum))
	if len(h.Action.Reads)+len(h.Action.Writes) > 0 {
		say("reads: %s; writes: %s", clean(short(objects(h.Action.Reads), 200)), clean(short(objects(h.Action.Writes), 200)))
	}
	if h.Estimate != nil {
		say("the target expects that it %s", clean(h.Estimate.String()))
	}
	if h.Purpose != "" {
		say("the agent says: %s", clean(h.Purpose))
	}
	if h.ShapeFor > 0 {
		pool := ""
		if h.ShapePool {
			pool = ", and --shape-pool for all connections of the token"
		}
		say("its shape may be approved: --shape-for up to %s%s", h.ShapeFor, pool)
	}
	say("dragoman approvals approve|deny %s --digest %s --as … --group %s", h.ID, h.Digest, clean(strings.Join(h.Approvers, "|")))
}

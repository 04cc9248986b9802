package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit/index/indexgen"
)

const (
	begin = "<!-- audit:begin -->"
	end   = "<!-- audit:end -->"
)

// table is what the documentation shows.
func table(o options, all []column) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sessions, %d questions of each kind, pages of %d, on %d cores; p50 / p95 in milliseconds.\n\n| question |", o.sessions, o.runs, indexgen.PageSize, runtime.NumCPU())
	for _, c := range all {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(all)) + "\n")
	for _, q := range indexgen.New(1, 1, time.Now()).Questions() {
		b.WriteString("| " + q.Name + " |")
		for _, c := range all {
			t := c.times[q.Name]
			fmt.Fprintf(&b, " %.1f / %.1f |", ms(t[0]), ms(t[1]))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, c := range all {
		b.WriteString(c.note + ".\n")
	}
	return b.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// replace puts text between the markers of a file.
func replace(path, text string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return errors.New(path + ": no markers " + begin + " and " + end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+text+end+after), 0o644)
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// TestWatched: a hold that waits says what one needs to decide, with nothing that moves a terminal's cursor; one that has ended is one line.
func TestWatched(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	h := hold.Hold{ID: "hld_1", State: hold.Pending, Identity: identity.New("user:alice@example.com", "agent:bot"), Target: "shop", Rule: "big-deletes", Reason: "deletes are looked at",
		Action: action.Action{Text: "DELETE FROM t\x1b[2J WHERE id = 1"}, Purpose: "a test\x1b[1A\rapproved", Quorum: 2, Decisions: []hold.Decision{{}},
		Deadline: now.Add(90 * time.Second), ShapeFor: 10 * time.Minute, ShapePool: true}
	var out bytes.Buffer
	printWatched(&out, h, now)
	for _, want := range []string{"15:04:05  pending", "hld_1", "agent:bot", "shop", "DELETE FROM t", "why: big-deletes: deletes are looked at; 1 of 2 have decided, 1m30s left",
		"the agent says: a test", "--shape-for up to 10m0s", "--shape-pool"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("control characters in %q", out.String())
	}
	out.Reset()
	h.State = hold.Denied
	printWatched(&out, h, now)
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "denied") {
		t.Errorf("%q", out.String())
	}
}

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
		Action: action.Action{Kind: action.KindSQL, Text: "DELETE FROM t -- \x1b[2J\nWHERE id = $1", Params: []action.Param{{Value: "1\x1b[2J"}}, Writes: []action.Object{{Schema: "public", Name: "t"}}}, Purpose: "a test\x1b[1A\rapproved", Quorum: 2, Decisions: []hold.Decision{{Approve: true}}, Digest: "abc", Approvers: []string{"dba"}, Protocol: "postgres",
		Estimate: &hold.Estimate{Verb: "delete", Rows: 1, Scans: []hold.Scan{{Table: "public.t\x1b[2J", How: "by index t_pkey", Rows: 1, Of: 1234}}},
		Deadline: now.Add(90 * time.Second), ShapeFor: 10 * time.Minute, ShapePool: true}
	var out bytes.Buffer
	printWatched(&out, h, now)
	for _, want := range []string{"15:04:05  pending", "hld_1", "agent:bot", "shop", "DELETE FROM t", "1m30s left", "why: big-deletes: deletes are looked at; 1 of 2 have approved", `DELETE FROM t -- \x1b[2J`, "WHERE id = $1", "$1 = 1", "writes: public.t",
		"the target expects that it deletes about 1 row; reads public.t", "by index t_pkey (about 1 row of about 1,234)", "approve|deny hld_1 --digest abc",
		"the agent says: a test", "--shape-for up to 10m0s", "--shape-pool"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("control characters in %q", out.String())
	}
	out.Reset()
	printStatement(&out, "> ", &h, true, 1)
	if want := "> \x1b[1mDELETE\x1b[0m \x1b[1mFROM\x1b[0m t \x1b[2m-- \x1b[0m\x1b[7;31m\\x1b\x1b[0m\x1b[2m[2J\x1b[0m\n> … and 1 more lines: dragoman approvals show hld_1\n"; out.String() != want {
		t.Errorf("in colours %q", out.String())
	}
	out.Reset()
	h.State = hold.Denied
	printWatched(&out, h, now)
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "denied") {
		t.Errorf("%q", out.String())
	}
}

package ocsf

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/export/exporttest"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

var now = time.Unix(1_790_000_000, 123_456_789)

func openOf(client, method string, chain ...string) record.Open {
	id := identity.New(chain...)
	id.Method, id.Issuer, id.TokenID, id.Expires = method, "https://login.example.com", "tok_1", now.Add(time.Hour)
	id.Groups = []string{"analysts", "dba"}
	return record.Open{Session: policy.Session{ID: "ses_1", Started: now, Client: client, Application: "psql", Database: "shop"},
		Target: policy.Target{Name: "shop", Protocol: "postgres", Labels: map[string]string{"env": "prod"}}, Identity: id, Node: "gateway",
		Decision: policy.Decision{Verdict: policy.Allow, Rule: "may-open", Revision: "r1"}}
}

func actionOf(kind string, v policy.Verdict, verbs ...string) *record.ActionPayload {
	return &record.ActionPayload{Action: action.Action{Kind: kind, Verbs: verbs, Text: strings.Join(verbs, " ") + " …", Fingerprint: "f00",
		Reads: []action.Object{{Schema: "public", Name: "customers"}}, Writes: []action.Object{{Name: "orders"}, {Schema: "public", Name: "customers"}}},
		Decision: policy.Decision{Verdict: v, Rule: "r", Reason: "because", Revision: "r1"}}
}

// TestSchema: every event that there can be is valid by the published schema.
func TestSchema(t *testing.T) {
	if v := exporttest.OCSFVersion(); v != Version {
		t.Fatalf("the schema is of version %s", v)
	}
	results := []*record.Result{nil, {Status: "ok", Rows: 3, Bytes: 40, Masked: 1, Duration: time.Millisecond}, {Status: "error", Code: "42P01", Message: "no such table"},
		{Status: "blocked", Code: "42501"}, {Status: "lost"}}
	holds := []*hold.Hold{nil}
	for _, state := range []hold.State{hold.Pending, hold.Approved, hold.Used, hold.Denied, hold.Expired, hold.Withdrawn} {
		holds = append(holds, &hold.Hold{ID: "hld_1", State: state, Decisions: []hold.Decision{{By: identity.New("user:dana@example.com"), Group: "dba", At: now}}})
	}
	n := 0
	check := func(e export.Event) {
		t.Helper()
		n++
		if found := exporttest.OCSF(Event(e, "v1")); len(found) > 0 {
			b, _ := json.MarshalIndent(Event(e, "v1"), "", " ")
			t.Errorf("%s\n%s", strings.Join(found, "\n"), b)
		}
	}
	for _, open := range []record.Open{{}, openOf("127.0.0.1:4711", "token", "user:alice@example.com", "agent:bot"), openOf("[fe80::1%eth0]:1", "oidc", "user:alice@example.com"),
		openOf("", "local", "local:root"), openOf("@socket", "mtls", "spiffe://x/y")} {
		for _, kind := range []string{export.SessionOpened, export.SessionClosed} {
			check(export.Event{ID: "ses_1/0", Kind: kind, Time: now, Session: "ses_1", Open: open})
			check(export.Event{ID: "ses_1/0", Kind: kind, Time: now, Session: "ses_1", Open: open, Lost: true, Close: &record.Close{Reason: "lost", Message: "m", Duration: time.Second}})
		}
		check(export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: open})
		if open.Identity.Method != "token" { // who and where is the same in all of them
			check(export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: open, Action: actionOf(action.KindSQL, policy.Allow, "select")})
			check(export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: open, Action: actionOf("audit.read", policy.Block, "show")})
			continue
		}
		for _, r := range results {
			for _, h := range holds {
				for _, v := range []policy.Verdict{policy.Block, policy.Allow, policy.Hold} {
					for _, kind := range []string{action.KindSQL, action.KindFunction, "audit.read"} {
						for _, verb := range []string{"select", "delete", "update", "merge", "insert", "copy", "begin", "get", "post", "replay"} {
							check(export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: open, Action: actionOf(kind, v, verb), Hold: h, Result: r})
						}
						check(export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: open, Action: &record.ActionPayload{Action: action.Action{Kind: kind}}, Result: r})
					}
				}
			}
		}
	}
	t.Logf("%d events are valid", n)
}

// TestValidator: the validator finds what is wrong.
func TestValidator(t *testing.T) {
	if v := exporttest.OCSFVersion(); v != Version {
		t.Fatalf("the schema is of version %s", v)
	}
	e := export.Event{ID: "ses_1/9", Kind: export.ActionEnded, Time: now, Session: "ses_1", Open: openOf("127.0.0.1:1", "token", "user:a"), Action: actionOf(action.KindSQL, policy.Allow, "select")}
	for name, change := range map[string]func(map[string]any){
		"required":      func(o map[string]any) { delete(o, "actor") },
		"unknown":       func(o map[string]any) { o["verdict"] = "allow" },
		"enum":          func(o map[string]any) { o["severity_id"] = 7; delete(o, "severity") },
		"type":          func(o map[string]any) { o["time"] = "today" },
		"type_uid":      func(o map[string]any) { o["type_uid"] = 1 },
		"caption":       func(o map[string]any) { o["status"] = "Success" },
		"at least one":  func(o map[string]any) { delete(o, "database"); delete(o, "table") },
		"nested":        func(o map[string]any) { delete(o["metadata"].(map[string]any), "product") },
		"nested object": func(o map[string]any) { o["src_endpoint"] = map[string]any{"ip": "nowhere"} },
		"class":         func(o map[string]any) { o["class_uid"] = 1 },
	} {
		o := Event(e, "v1")
		if found := exporttest.OCSF(o); len(found) > 0 {
			t.Fatal(found)
		}
		change(o)
		if found := exporttest.OCSF(o); len(found) != 1 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestMeaning: what matters is where a reader of the schema looks for it.
func TestMeaning(t *testing.T) {
	open := openOf("10.1.2.3:99", "token", "user:alice@example.com", "agent:bot")
	for _, x := range []struct {
		e    export.Event
		want string
	}{
		{export.Event{Kind: export.SessionOpened, Open: open}, "3002 Logon Allowed Success agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open, Action: actionOf("sql", policy.Block, "delete"), Result: &record.Result{Status: "blocked"}}, "6005 Delete Blocked Failure agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open, Action: actionOf("sql", policy.Hold, "update"), Hold: &hold.Hold{State: hold.Used}, Result: &record.Result{Status: "ok"}}, "6005 Update Approved Success agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open, Action: actionOf("sql", policy.Hold, "update"), Hold: &hold.Hold{State: hold.Denied}, Result: &record.Result{Status: "denied"}}, "6005 Update Rejected Failure agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open, Action: actionOf("sql", policy.Allow, "select", "delete")}, "6005 Delete Allowed Unknown agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open, Action: actionOf("audit.read", policy.Allow, "replay"), Result: &record.Result{Status: "ok"}}, "6003 Read Allowed Success agent:bot"},
		{export.Event{Kind: export.ActionEnded, Open: open}, "6003 Other Blocked Unknown agent:bot"},
	} {
		o := Event(x.e, "v1")
		got := fmt.Sprint(o["class_uid"], " ", o["activity_name"], " ", o["disposition"], " ", o["status"], " ", o["actor"].(object)["user"].(object)["name"])
		if got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}

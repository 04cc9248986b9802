package page

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/policy/pushes"
	"dragoman.dev/dragoman/internal/trial"
	"dragoman.dev/dragoman/web/api"
)

// hostileConsole says hostile things wherever it can.
type hostileConsole struct{ *backend }

func (hostileConsole) Policy(context.Context) (PolicyState, error) {
	return PolicyState{Revision: hostile, Error: hostile, Files: map[string]string{hostile: hostile}, Rules: 1,
		Pushes: []pushes.Push{{Revision: hostile, By: hostile, Changes: []pushes.Change{{File: hostile, How: pushes.Added}}}}}, nil
}

func (hostileConsole) Matrix(_ context.Context, schema, name string) (trial.Matrix, error) {
	return trial.Matrix{Object: schema + "." + name, Places: []trial.Place{{Target: hostile, Verbs: []string{"select"}}},
		Rows: []trial.Row{{Name: hostile, Cells: []trial.Cell{{Verb: "select", Rule: hostile, Reason: hostile}}}}}, nil
}

func (h hostileConsole) Try(_ context.Context, id identity.Identity, target, text string, c Change) ([]trial.Step, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = append(h.tried, fmt.Sprint(id.Chain(), id.Groups, target, text, c))
	if text == "nonsense" {
		return nil, fmt.Errorf("%w: %s", trial.ErrText, hostile)
	}
	return []trial.Step{{Action: action.Action{Text: hostile, Verbs: []string{hostile}, Reads: []action.Object{{Name: hostile}}, Features: map[string]any{hostile: true}}, Assumed: []string{hostile},
		Explanation: policy.Explanation{Decision: policy.Decision{Rule: hostile, Reason: hostile, Hint: hostile}, Said: []policy.Said{{Rule: hostile, Reads: []string{hostile}}}}}}, nil
}

func (h hostileConsole) Backtest(ctx context.Context, c Change, _ time.Time, progress func(backtest.Progress)) (*backtest.Report, error) {
	progress(backtest.Progress{Found: 2, Read: 1})
	select {
	case <-h.release:
	case <-ctx.Done():
	}
	if c.Text == "broken" {
		return nil, &policy.Problem{File: hostile, Message: hostile}
	}
	return &backtest.Report{Revision: hostile, Actions: 7, Changes: []backtest.Change{{Kind: backtest.NewlyBlocked, Count: 1, Rules: []backtest.RuleCount{{Old: hostile, New: hostile}},
		Examples: []backtest.Example{{Session: sessionID, Ordinal: 1, Identity: hostile, Target: hostile, Text: hostile}}}}}, nil
}

func (hostileConsole) Targets(context.Context) []TargetState {
	return []TargetState{{Target: policy.Target{Name: hostile, Protocol: "postgres", Labels: map[string]string{hostile: hostile}}, Listen: hostile,
		Addresses: []string{hostile}, Nodes: []string{hostile}, Health: "unhealthy", Detail: hostile}}
}

func (hostileConsole) Nodes() []NodeState {
	return []NodeState{{Name: hostile, Version: "short", Policy: hostile, Refused: []string{hostile}}}
}

func (hostileConsole) Live() []LiveSession {
	return []LiveSession{{ID: sessionID, Target: hostile, Identity: chain()}}
}

// TestTry: whose verdict it is and on what is as the form says, and what is wrong with a form is said on the page.
func TestTry(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Auditor)
	csrf := r.csrf(c, "/policy")
	form := url.Values{"csrf": {csrf}, "subject": {"agent:bot"}, "on_behalf_of": {"user:a@b.c"}, "groups": {"x, y"}, "target": {"shop"}, "text": {"SELECT 1\r\nFROM t"}}
	res, body := r.postBody(c, "/policy/try", form)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "Trace") || strings.Contains(body, "<script>alert") {
		t.Fatalf("%s\n%s", res.Status, body)
	}
	if want := "user:a@b.c>agent:bot[x y]shopSELECT 1\nFROM t{ }"; len(r.back.tried) != 1 || r.back.tried[0] != want {
		t.Errorf("tried %q, want %q", r.back.tried, want)
	}
	for name, change := range map[string][2]string{"no subject": {"subject", ""}, "a bad subject": {"subject", "a>b"}, "nonsense": {"text", "nonsense"}} {
		bad := url.Values{}
		for k, v := range form {
			bad[k] = v
		}
		bad.Set(change[0], change[1])
		if res, body := r.postBody(c, "/policy/try", bad); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, `role="alert"`) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	form.Set("draft", "x")
	for _, file := range []string{"../../etc/passwd", "/etc/passwd", "a/../b", "."} {
		form.Set("file", file)
		if res, _ := r.postBody(c, "/policy/try", form); res.StatusCode != http.StatusBadRequest {
			t.Errorf("the file %q: %s", file, res.Status)
		}
	}
}

// TestBacktests: one at a time, recorded before it reads, and its result is shown.
func TestBacktests(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Auditor)
	form := url.Values{"csrf": {r.csrf(c, "/policy")}, "file": {"rules.yaml"}, "draft": {"[]"}, "days": {"7"}}
	r.back.full = true
	if res := r.post(c, "/policy/backtests", form, "same-origin"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one that cannot be recorded: %s", res.Status)
	}
	r.back.full = false
	res := r.post(c, "/policy/backtests", form, "same-origin")
	at := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(at, "/policy/backtests/") {
		t.Fatalf("%s to %q", res.Status, at)
	}
	if one := r.back.reads[len(r.back.reads)-1]; one.Way != "backtest" || !strings.Contains(one.Text, "rules.yaml") {
		t.Errorf("recorded as %+v", one)
	}
	if res := r.post(c, "/policy/backtests", form, "same-origin"); res.StatusCode != http.StatusConflict {
		t.Errorf("a second one meanwhile: %s", res.Status)
	}
	if _, body := r.get(c, at); !strings.Contains(body, "data-poll") {
		t.Errorf("while it runs:\n%s", body)
	}
	close(r.back.release)
	var body string
	for end := time.Now().Add(60 * time.Second); !strings.Contains(body, "newly-blocked") && time.Now().Before(end); {
		_, body = r.get(c, at+"?part=1")
	}
	if !strings.Contains(body, "7 actions") || !strings.Contains(body, "newly-blocked") || strings.Contains(body, "<script>alert") {
		t.Errorf("its end:\n%s", body)
	}
	if res, _ := r.get(r.signedIn(api.Reader), at); res.StatusCode != http.StatusForbidden {
		t.Errorf("a reader sees it: %s", res.Status)
	}
	form.Set("draft", "broken")
	at = r.post(c, "/policy/backtests", form, "same-origin").Header.Get("Location")
	for end := time.Now().Add(60 * time.Second); !strings.Contains(body, `role="alert"`) && time.Now().Before(end); {
		_, body = r.get(c, at+"?part=1")
	}
	if !strings.Contains(body, `role="alert"`) || strings.Contains(body, "<script>alert") {
		t.Errorf("a broken policy:\n%s", body)
	}
}

// TestMintAndRevoke: only an administrator does, and the token is shown once.
func TestMintAndRevoke(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Auditor)
	csrf := r.csrf(c, "/tokens")
	for _, p := range []string{"/tokens/mint", "/identities/revoke"} {
		if res := r.post(c, p, url.Values{"csrf": {csrf}, "subject": {"agent:x"}}, "same-origin"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s as auditor: %s", p, res.Status)
		}
	}
	c = r.signedIn(api.Admin)
	csrf = r.csrf(c, "/tokens")
	res, body := r.postBody(c, "/tokens/mint", url.Values{"csrf": {csrf}, "subject": {"agent:x"}, "groups": {"a,b"}, "ttl": {"30m"}})
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "the-new-token") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s\n%s", res.Status, body)
	}
	if m := r.back.minted; len(m) != 1 || m[0].Subject != "agent:x" || len(m[0].Groups) != 2 || m[0].TTL != 30*time.Minute || m[0].By != "user:admin" {
		t.Errorf("minted %+v", m)
	}
	for _, ttl := range []string{"-1h", "soon"} {
		if res, _ := r.postBody(c, "/tokens/mint", url.Values{"csrf": {csrf}, "subject": {"agent:x"}, "ttl": {ttl}}); res.StatusCode != http.StatusBadRequest {
			t.Errorf("for %s: %s", ttl, res.Status)
		}
	}
	if res := r.post(c, "/identities/revoke", url.Values{"csrf": {csrf}, "subject": {"agent:x"}}, "same-origin"); res.StatusCode != http.StatusSeeOther || len(r.back.subjects) != 1 || r.back.subjects[0] != "agent:x" {
		t.Errorf("%s, revoked %v", res.Status, r.back.subjects)
	}
	if res := r.post(c, "/identities/revoke", url.Values{"csrf": {csrf}}, "same-origin"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("revoking nobody: %s", res.Status)
	}
}

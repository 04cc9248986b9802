package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/web/api"
)

// backend has one session and one hold of alice's bot, and the same of mallory's.
type backend struct {
	reads []access.Read
	full  bool
	told  []string
}

func bot(of string) identity.Identity {
	id := identity.New("user:"+of, "agent:bot")
	id.Issuer, id.Groups = "dragoman", []string{"analysts"}
	return id
}

func (b *backend) Authenticate(_ context.Context, c identity.Credential) (identity.Proof, error) {
	for _, of := range []string{"alice", "mallory"} {
		if c.Token == of {
			return identity.Proof{Identity: bot(of)}, nil
		}
		if at, limited := strings.CutPrefix(c.Token, of+"@"); limited { // another token of the same identity, for one target
			id := bot(of)
			id.Method, id.Claims = identity.MethodToken, map[string]any{token.ClaimTargets: []any{at}}
			return identity.Proof{Identity: id}, nil
		}
	}
	return identity.Proof{}, identity.Refuse(identity.ReasonSignature, "no")
}

func (b *backend) List(_ context.Context, f audit.Filter) (audit.Page, error) {
	var p audit.Page
	for _, of := range []string{"alice", "mallory"} {
		id := bot(of)
		one := audit.Session{ID: "ses_" + of, Target: "shop", Subject: id.Subject, Actors: id.Actors, Issuer: id.Issuer}
		if f.Session == "" || f.Session == one.ID {
			p.Sessions = append(p.Sessions, one)
		}
	}
	forged := audit.Session{ID: "ses_forged", Subject: "agent:bot", Actors: bot("alice").Actors, Issuer: "https://other"}
	p.Sessions = append(p.Sessions, forged)
	return p, nil
}

func (b *backend) Actions(_ context.Context, id string, _ uint64, _ int) ([]audit.Action, error) {
	return []audit.Action{
		{Session: id, Ordinal: 1, Verdict: "allow", Text: "SELECT 1"},
		{Session: id, Ordinal: 2, Verdict: "block", Text: "DROP TABLE " + id, Rule: "no-ddl", Reason: "changing the schema"},
		{Session: id, Ordinal: 3, Verdict: "hold", Text: "UPDATE " + id, Hold: "hld_" + strings.TrimPrefix(id, "ses_"), HoldState: "denied"},
	}, nil
}

func (b *backend) Show(_ context.Context, id string) (hold.Hold, error) {
	if of, ok := strings.CutPrefix(id, "hld_"); ok && (of == "alice" || of == "mallory") {
		return hold.Hold{ID: id, Target: "shop", Identity: bot(of), State: hold.Pending, Quorum: 2, Approvers: []string{"dba"},
			Decisions: []hold.Decision{{Approve: true, Reason: "fine by me"}}}, nil
	}
	return hold.Hold{}, fmt.Errorf("%w: no such hold", api.ErrNotFound)
}

func (b *backend) Purpose(id identity.Identity, target, text string) error {
	b.told = append(b.told, id.Chain()+" "+target+" "+text)
	return nil
}

func (b *backend) Tell(ctx context.Context, holdID string, by identity.Identity, text string) (hold.Hold, error) {
	h, err := b.Show(ctx, holdID)
	if err == nil && !h.Identity.SameAs(by) {
		err = api.ErrNotFound
	}
	if err == nil {
		b.told = append(b.told, holdID+" "+text)
	}
	return h, err
}

func (b *backend) May(_ context.Context, id identity.Identity) ([]May, []Rule, error) {
	return []May{{Target: "shop", Protocol: "postgres", Connect: "allow"}, {Target: "vault", Connect: "block", Reason: "not for agents"}},
		[]Rule{{Rule: "analysts-read", Verdict: "allow", Verbs: []string{"select"}}}, nil
}

func (b *backend) record(r access.Read) error {
	if b.full {
		return errors.New("the disk is full")
	}
	b.reads = append(b.reads, r)
	return nil
}

type bearer string

func (t bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

func serve(t *testing.T, b *backend) string {
	s := httptest.NewServer(New(Options{Authenticator: b, Sessions: b, Holds: b, Policy: b, Record: b.record, Page: "https://d.example", Version: "1", Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.Close)
	return s.URL
}

func connect(t *testing.T, url, token string) *mcp.ClientSession {
	t.Helper()
	c := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	s, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: bearer(token), Timeout: time.Minute}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ask calls a tool and gives what it says, as text, and whether that is an error.
func ask(t *testing.T, s *mcp.ClientSession, tool string, args map[string]any) (string, bool) {
	t.Helper()
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return err.Error(), true
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), r.IsError
}

// TestOwnOnly: an agent sees what is its own, and reading it is recorded.
func TestOwnOnly(t *testing.T) {
	b := &backend{}
	s := connect(t, serve(t, b), "alice")
	for name, c := range map[string]struct {
		tool string
		args map[string]any
		has  []string
		not  []string
		bad  bool
	}{
		"may":              {"what_may_i_do", nil, []string{"analysts-read", "shop", "user:alice", "not for agents"}, nil, false},
		"may, one":         {"what_may_i_do", map[string]any{"target": "shop"}, []string{"shop"}, []string{"not for agents"}, false},
		"why":              {"why_was_this_blocked", nil, []string{"no-ddl", "DROP TABLE ses_alice", `"code":"denied"`, "https://d.example/approvals/hld_alice"}, []string{"mallory", "forged", "SELECT 1"}, false},
		"why, another's":   {"why_was_this_blocked", map[string]any{"session": "ses_mallory"}, nil, []string{"DROP"}, false},
		"yet":              {"is_it_approved_yet", map[string]any{"hold": "hld_alice"}, []string{"pending", `"approvals":1`, `"quorum":2`, "fine by me"}, nil, false},
		"yet, another's":   {"is_it_approved_yet", map[string]any{"hold": "hld_mallory"}, []string{"no such hold"}, []string{"fine by me"}, true},
		"yet, nobody's":    {"is_it_approved_yet", map[string]any{"hold": "hld_x"}, []string{"no such hold"}, nil, true},
		"reason":           {"request_access", map[string]any{"hold": "hld_alice", "reason": "ticket 7"}, []string{"ticket 7"}, nil, false},
		"reason, target":   {"request_access", map[string]any{"target": "shop", "reason": "ticket 8"}, []string{"Do it now"}, nil, false},
		"reason, blocked":  {"request_access", map[string]any{"target": "vault", "reason": "x"}, []string{"no approval changes that"}, nil, false},
		"reason, another":  {"request_access", map[string]any{"hold": "hld_mallory", "reason": "x"}, []string{"no such hold"}, nil, true},
		"reason, nowhere":  {"request_access", map[string]any{"reason": "x"}, nil, nil, true},
		"reason, no where": {"request_access", map[string]any{"target": "nowhere", "reason": "x"}, []string{"no target"}, nil, true},
	} {
		out, bad := ask(t, s, c.tool, c.args)
		if bad != c.bad {
			t.Errorf("%s: %s", name, out)
		}
		for _, w := range c.has {
			if !strings.Contains(out, w) && !strings.Contains(out, strings.ReplaceAll(w, `"`, `\"`)) {
				t.Errorf("%s lacks %q: %s", name, w, out)
			}
		}
		for _, w := range c.not {
			if strings.Contains(out, w) {
				t.Errorf("%s has %q: %s", name, w, out)
			}
		}
	}
	for _, r := range b.reads {
		if r.Via != Via || r.By.Chain() != bot("alice").Chain() || slices.Contains(r.Sessions, "ses_mallory") {
			t.Errorf("recorded %+v", r)
		}
	}
	if len(b.reads) != 2 {
		t.Errorf("%d reads recorded", len(b.reads))
	}
	b.full = true
	if out, bad := ask(t, s, "why_was_this_blocked", nil); !bad || strings.Contains(out, "DROP") {
		t.Errorf("a read that cannot be recorded: %s", out)
	}
}

// TestOtherToken: what is somebody's own is so by who they are, with whatever token; one for other targets is told nothing of it.
func TestOtherToken(t *testing.T) {
	b := &backend{}
	url := serve(t, b)
	for of, sees := range map[string]bool{"alice@shop": true, "alice@vault": false, "mallory@shop": false} {
		s := connect(t, url, of)
		if out, bad := ask(t, s, "why_was_this_blocked", nil); bad || strings.Contains(out, "DROP TABLE ses_alice") != sees {
			t.Errorf("%s: %s", of, out)
		}
		if out, bad := ask(t, s, "is_it_approved_yet", map[string]any{"hold": "hld_alice"}); bad == sees {
			t.Errorf("%s: %s", of, out)
		}
		if out, bad := ask(t, s, "request_access", map[string]any{"hold": "hld_alice", "reason": "by " + of}); bad == sees || slices.Contains(b.told, "hld_alice by "+of) != sees {
			t.Errorf("%s: %s", of, out)
		}
		if out, bad := ask(t, s, "request_access", map[string]any{"target": "shop", "reason": "x"}); bad == strings.HasSuffix(of, "@shop") {
			t.Errorf("%s: %s", of, out)
		}
	}
}

// TestNeverApproves: there is no tool that decides, by whatever name, and arguments that nobody knows are refused.
func TestNeverApproves(t *testing.T) {
	b := &backend{}
	s := connect(t, serve(t, b), "alice")
	tools, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range tools.Tools {
		names = append(names, one.Name)
	}
	slices.Sort(names)
	if want := []string{"is_it_approved_yet", "request_access", "what_may_i_do", "why_was_this_blocked"}; !slices.Equal(names, want) {
		t.Errorf("tools %v", names)
	}
	for _, name := range []string{"approve", "approvals_approve", "decide", "deny"} {
		if out, bad := ask(t, s, name, map[string]any{"hold": "hld_alice", "decision": "approve"}); !bad {
			t.Errorf("%s: %s", name, out)
		}
	}
	if out, bad := ask(t, s, "request_access", map[string]any{"hold": "hld_alice", "reason": "x", "approve": true}); !bad {
		t.Errorf("an argument that is not known: %s", out)
	}
}

// TestUnproven: without a good credential there is nothing, whatever is asked.
func TestUnproven(t *testing.T) {
	b := &backend{}
	url := serve(t, b)
	for _, auth := range []string{"", "Bearer ", "Bearer wrong", "Basic YWxpY2U6", "alice", "Bearer " + strings.Repeat("x", identity.MaxToken+1)} {
		req, _ := http.NewRequest("POST", url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Cookie", "dragoman_login=alice")
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%.20q: %s", auth, res.Status)
		}
	}
	if len(b.reads) > 0 {
		t.Error("something was read")
	}
	slow := New(Options{Authenticator: b, Log: slog.New(slog.DiscardHandler), Lockout: lockout.New(lockout.Config{Burst: 2, Refill: time.Hour, MaxStall: time.Millisecond}, time.Now)})
	for i, want := range []int{401, 401, 429} {
		req, w := httptest.NewRequest("POST", Path, nil), httptest.NewRecorder()
		req.Header.Set("Authorization", "Bearer guess")
		if slow.ServeHTTP(w, req); w.Code != want {
			t.Errorf("guess %d: %d", i, w.Code)
		}
	}
}

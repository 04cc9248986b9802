package access

import (
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

func requester(who, client string) Requester {
	id := identity.New("user:boss", who)
	id.Method, id.Issuer = identity.MethodToken, "dragoman"
	return Requester{Identity: id, Target: policy.Target{Name: "web", Protocol: "http", Labels: map[string]string{}},
		Session: policy.Session{Client: client}, Gateway: "mesh", Mode: record.ModeWrite}
}

func asked(text string) action.Action {
	return action.Action{Kind: action.KindHTTP, Verbs: []string{"GET"}, Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{},
		Features: map[string]any{}, Params: []action.Param{}, Text: text, Fingerprint: "f"}
}

// TestDeciding: requests of one requester are one session; one that is being decided keeps its session open; all of it verifies.
func TestDeciding(t *testing.T) {
	r := newRig(t)
	begin := func(who, client string) *Deciding {
		t.Helper()
		d, err := r.log.Begin(requester(who, client))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	say := func(d *Deciding, text, status string) {
		t.Helper()
		if err := d.Action(asked(text), policy.Decision{Verdict: policy.Allow, Rule: "may"}); err != nil {
			t.Error(err)
		}
		if err := d.Result(record.Result{Status: status}); err != nil {
			t.Error(err)
		}
	}
	a, b, c := begin("agent:a", "192.0.2.1:5"), begin("agent:a", "192.0.2.1:6"), begin("agent:b", "192.0.2.1:5")
	if a.Session() != b.Session() || a.Session() == c.Session() || !strings.HasPrefix(a.Session(), "ses_") {
		t.Error(a.Session(), b.Session(), c.Session())
	}
	say(a, "GET /a", "ok")
	say(c, "GET /c", "blocked")
	a.End()
	c.End()
	// b waits for people meanwhile, and its session is put out for others.
	if err := b.Action(asked("GET /b"), policy.Decision{Verdict: policy.Hold, Rule: "ask"}); err != nil {
		t.Error(err)
	}
	if err := b.Hold(hold.Hold{ID: "hld_1", Session: b.Session(), State: hold.Pending}); err != nil {
		t.Error(err)
	}
	r.log.mu.Lock()
	r.log.end(b.key, b.one)
	r.log.mu.Unlock()
	if d := begin("agent:a", "192.0.2.1:7"); d.Session() == b.Session() {
		t.Error("a session that is over goes on")
	} else {
		say(d, "GET /d", "ok")
		d.End()
	}
	if err := b.Hold(hold.Hold{ID: "hld_1", Session: b.Session(), State: hold.Used, Decisions: []hold.Decision{}}); err != nil {
		t.Error(err)
	}
	if err := b.Result(record.Result{Status: "ok"}); err != nil {
		t.Error(err)
	}
	b.End()
	if err := r.log.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := r.store.List(t.Context(), audit.Filter{Target: "web"})
	if err != nil || len(page.Sessions) != 3 {
		t.Fatalf("%+v %v", page, err)
	}
	ended := slices.IndexFunc(page.Sessions, func(s audit.Session) bool { return s.ID == b.Session() })
	if ended < 0 || page.Sessions[ended].Actions != 2 {
		t.Errorf("%+v", page.Sessions)
	}
	r.close()
	if sum := r.verify(); sum.Records != 3 {
		t.Error(sum)
	}
}

package approval

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func person(groups string, chain ...string) identity.Identity {
	id := identity.New(chain...)
	id.Groups = strings.Fields(groups)
	return id
}

func pending(quorum int) hold.Hold {
	return hold.Hold{ID: "hld_0123456789abcdef", Session: "ses_1", Target: "shop", Identity: person("analysts", "user:alice", "agent:bot"),
		Digest: strings.Repeat("0", 64), Approvers: []string{"dba", "security"}, Quorum: quorum, Created: t0, Deadline: t0.Add(time.Minute),
		State: hold.Pending, Decisions: []hold.Decision{}}
}

func vote(approve bool, by identity.Identity) Event {
	return Event{Kind: Decide, At: t0.Add(time.Second), Decision: hold.Decision{By: by, Approve: approve}}
}

// The whole table: every state, every event, in time and late.
func TestTransitions(t *testing.T) {
	dana := person("dba", "user:dana")
	events := map[string]Event{
		"approve": vote(true, dana), "deny": vote(false, dana), "use": {Kind: Use, At: t0.Add(time.Second)},
		"expire": {Kind: Expire, At: t0.Add(time.Second)}, "withdraw": {Kind: Withdraw, At: t0.Add(time.Second)}, "zero": {},
	}
	want := map[string]hold.State{
		"pending approve": hold.Approved, "pending deny": hold.Denied, "pending withdraw": hold.Withdrawn,
		"approved use": hold.Used, "approved deny": hold.Denied, "approved withdraw": hold.Withdrawn,
		"pending late expire": hold.Expired, "approved late expire": hold.Expired,
		"pending late withdraw": hold.Withdrawn, "approved late withdraw": hold.Withdrawn,
	}
	for _, state := range []hold.State{"", "nonsense", hold.Pending, hold.Approved, hold.Used, hold.Denied, hold.Expired, hold.Withdrawn} {
		for name, e := range events {
			for _, late := range []string{"", "late "} {
				if late != "" {
					e.At = t0.Add(time.Minute)
				}
				h := pending(1)
				h.State = state
				before := h
				key := string(state) + " " + late + name
				err := Rules{}.Apply(&h, e)
				if next, legal := want[key]; legal {
					if err != nil || h.State != next || Ended(next) != !h.Ended.IsZero() {
						t.Errorf("%s: %s, %v", key, h.State, err)
					}
				} else if err == nil || !reflect.DeepEqual(h, before) {
					t.Errorf("%s: became %s, %v", key, h.State, err)
				}
			}
		}
	}
}

func TestWhoMayApprove(t *testing.T) {
	for name, c := range map[string]struct {
		by    identity.Identity
		rules Rules
		ok    bool
	}{
		"dba":                        {person("dba", "user:dana"), Rules{}, true},
		"second group":               {person("security", "user:dana"), Rules{}, true},
		"no group":                   {person("analysts", "user:dana"), Rules{}, false},
		"group by another spelling":  {person("DBA", "user:dana"), Rules{}, false},
		"the principal":              {person("dba", "user:alice"), Rules{}, false},
		"the principal, spelled":     {person("dba", "USER:Alice"), Rules{}, false},
		"the agent":                  {person("dba", "agent:bot"), Rules{AllowDelegated: true}, false},
		"another agent for her":      {person("dba", "user:alice", "agent:other"), Rules{AllowDelegated: true}, false},
		"her as somebody's agent":    {person("dba", "user:dana", "user:alice"), Rules{AllowDelegated: true}, false},
		"an agent for dana":          {person("dba", "user:dana", "agent:helper"), Rules{}, false},
		"an agent for dana, allowed": {person("dba", "user:dana", "agent:helper"), Rules{AllowDelegated: true}, true},
		"an agent alone":             {person("dba", "agent:helper"), Rules{}, false},
		"an agent alone, spelled":    {person("dba", "Agent:helper"), Rules{}, false},
		"nobody":                     {identity.Identity{Groups: []string{"dba"}}, Rules{}, false},
		"a chain that lies":          {identity.Identity{Subject: "user:dana", Actors: []string{"user:alice"}, Groups: []string{"dba"}}, Rules{}, false},
		"a line break":               {person("dba", "user:dana\n"), Rules{}, false},
	} {
		h := pending(1)
		err := c.rules.Apply(&h, vote(true, c.by))
		if (err == nil) != c.ok || c.ok != (h.State == hold.Approved) || err != nil && !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %s, %v", name, h.State, err)
		}
	}
	h := pending(1) // the principal may stop her own agent, if she is an approver
	if err := (Rules{}).Apply(&h, vote(false, person("dba", "user:alice"))); err != nil || h.State != hold.Denied {
		t.Error(h.State, err)
	}
}

func TestQuorum(t *testing.T) {
	h := pending(2)
	ok := func(want hold.State, e Event, good bool) {
		t.Helper()
		if err := (Rules{}).Apply(&h, e); (err == nil) != good || h.State != want {
			t.Fatalf("%s %v", h.State, err)
		}
	}
	ok(hold.Pending, vote(true, person("dba", "user:dana")), true)
	ok(hold.Pending, vote(true, person("security", "user:dana")), false)
	ok(hold.Pending, vote(true, person("dba", "user:DANA")), false)
	ok(hold.Approved, vote(true, person("dba", "user:erin")), true)
	ok(hold.Denied, vote(false, person("dba", "user:erin")), true) // changed her mind before it ran
	if h.Decisions[0].Group != "dba" || len(h.Decisions) != 3 {
		t.Fatalf("%+v", h.Decisions)
	}
	h = pending(0)
	if err := (Rules{MinQuorum: 2}).Apply(&h, vote(true, person("dba", "user:dana"))); err != nil || h.State != hold.Pending {
		t.Fatal(h.State, err)
	}
}

// Whatever happens in whatever order: Used comes only after enough different
// people, in time, and nothing comes after an end.
func TestRandomWalks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		h := pending(1 + rnd.IntN(3))
		at, ended := t0, hold.State("")
		for range 12 {
			at = at.Add(time.Duration(rnd.IntN(15)) * time.Second)
			e := Event{Kind: Kind(rnd.IntN(6)), At: at, Decision: hold.Decision{Approve: rnd.IntN(6) > 0,
				By: person([]string{"dba", "security", "x"}[rnd.IntN(3)], fmt.Sprintf("user:%c", 'a'+rune(rnd.IntN(4))))}}
			before := h.State
			err := Rules{}.Apply(&h, e)
			if err != nil && h.State != before || ended != "" && err == nil {
				t.Fatalf("%s -> %s, %v", before, h.State, err)
			}
			if Ended(h.State) {
				ended = h.State
			}
			if h.State == hold.Used && (before != hold.Approved && before != hold.Used || approvals(&h) < h.Quorum || !h.Ended.Before(h.Deadline)) {
				t.Fatalf("used wrongly: %+v", h)
			}
		}
	}
}

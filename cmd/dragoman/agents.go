package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/web/agent"
)

// agents serves those who ask about themselves.
func (c *control) agents(slow *lockout.Lockout) http.Handler {
	return agent.New(agent.Options{Authenticator: c.auth, Sessions: sessionBackend{c}, Holds: agentHolds{c.approvals}, Policy: agentPolicy{c}, Lockout: slow,
		Record: c.access.Record, Page: c.cfg.Admin.PageURL(), Version: version(), Log: c.log.With("from", "mcp")})
}

// agentHolds is what agents may do with holds.
type agentHolds struct{ s *approval.Service }

// Show implements agent.Holds.
func (a agentHolds) Show(ctx context.Context, id string) (hold.Hold, error) {
	return approvalBackend(a).Show(ctx, id)
}

// Purpose implements agent.Holds.
func (a agentHolds) Purpose(id identity.Identity, target, text string) error {
	return holdError(a.s.Purpose(id, target, text))
}

// Tell implements agent.Holds.
func (a agentHolds) Tell(ctx context.Context, holdID string, by identity.Identity, text string) (hold.Hold, error) {
	h, err := a.s.Tell(ctx, holdID, by, text)
	return h, holdError(err)
}

// agentPolicy says what the policy in force has for somebody.
type agentPolicy struct{ c *control }

// May implements agent.Policy. Targets that the token is not for are left out.
func (a agentPolicy) May(ctx context.Context, id identity.Identity) ([]agent.May, []agent.Rule, error) {
	engine := a.c.engine.Engine()
	var may []agent.May
	limit := token.Targets(id)
	for i := range a.c.cfg.Targets {
		t := &a.c.cfg.Targets[i]
		if limit != nil && !slices.Contains(limit, t.Name) {
			continue
		}
		in := policy.Input{Version: policy.InputVersion, Identity: id, Target: t.Policy(), Session: policy.Session{Started: time.Now()}, Action: connecting(t)}
		d := engine.Judge(ctx, &in, nil)
		may = append(may, agent.May{Target: t.Name, Protocol: t.Protocol, Connect: d.Verdict.String(), Rule: d.Rule, Reason: d.Reason, Hint: d.Hint})
	}
	rules, err := a.rules(engine.Revision(), id)
	return may, rules, err
}

// connecting is the opening of a session, of which no user and no database are known.
func connecting(t *config.Target) action.Action {
	a := action.Connect(t.Name, "", "")
	a.Text = "connect to " + t.Name
	return a
}

// ruleDoc is a YAML rule as the bundle has it.
type ruleDoc struct {
	When struct {
		Groups   []string   `json:"groups"`
		Subjects []string   `json:"subjects"`
		Targets  []string   `json:"targets"`
		Verbs    []string   `json:"verbs"`
		Tables   [][]string `json:"tables"`
	} `json:"when"`
	Out struct {
		Verdict   string   `json:"verdict"`
		Rule      string   `json:"rule"`
		Reason    string   `json:"reason"`
		Hint      string   `json:"hint"`
		Approvers []string `json:"approvers"`
	} `json:"out"`
}

// rules are the YAML rules that can be about somebody: those for their groups, or for everybody. Rego of the folder is not
// among them. When the source is no longer what is in force there are none.
func (a agentPolicy) rules(revision string, id identity.Identity) ([]agent.Rule, error) {
	bundle, err := a.c.cfg.Policy.Source().Bundle()
	if err != nil || bundle.Revision != revision {
		return nil, nil // broken, or just changed: what is in force stays, and its source is not at hand
	}
	raw, err := json.Marshal(bundle.Data["dragoman"])
	if err != nil {
		return nil, err
	}
	var doc struct {
		Rules []ruleDoc `json:"rules"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("the bundle's rules: %w", err)
	}
	var out []agent.Rule
	for _, r := range doc.Rules {
		if len(r.When.Groups) > 0 && !id.InGroup(r.When.Groups...) {
			continue
		}
		one := agent.Rule{Rule: r.Out.Rule, Verdict: r.Out.Verdict, Reason: r.Out.Reason, Hint: r.Out.Hint, Targets: r.When.Targets,
			Verbs: r.When.Verbs, Approvers: r.Out.Approvers}
		for _, t := range r.When.Tables {
			one.Tables = append(one.Tables, strings.Join(t, "."))
		}
		out = append(out, one)
	}
	return out, nil
}

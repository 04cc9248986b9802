package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

// Bounds of an answer.
const (
	maxSessions = 50
	maxActions  = 1000 // of a session, that are looked at
	maxRefused  = 20
)

func (s *server) addTools() {
	read := &mcp.ToolAnnotations{ReadOnlyHint: true}
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "what_may_i_do", Annotations: read,
		Description: "Which targets you may connect to, and the policy rules that can be about you: what is allowed, held for approval, or blocked, and what to do instead."}, s.may)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "why_was_this_blocked", Annotations: read,
		Description: "Your own newest actions that were refused, held or denied: the rule, its reason, and how a hold ended. Give a session or a hold to narrow it."}, s.why)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "request_access",
		Description: "Say why you need something; approvers are shown your words. With a hold: for that hold, which is yours. With a target: for what of yours is held there within the next hour; then do it, and it waits for people."}, s.request)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "is_it_approved_yet", Annotations: read,
		Description: "How one of your holds stands: pending, approved, used, denied, expired or withdrawn, and how many of how many have approved."}, s.approved)
}

type mayIn struct {
	Target string `json:"target,omitempty" jsonschema:"only this target"`
}

type mayOut struct {
	You     []string `json:"you" jsonschema:"who you are, principal first"`
	Groups  []string `json:"groups"`
	Targets []May    `json:"targets"`
	Rules   []Rule   `json:"rules"`
}

func (s *server) may(ctx context.Context, _ *mcp.CallToolRequest, in mayIn) (*mcp.CallToolResult, mayOut, error) {
	id := callerOf(ctx).id
	targets, rules, err := s.Policy.May(ctx, id)
	if err != nil {
		return nil, mayOut{}, s.told("what_may_i_do", err)
	}
	if in.Target != "" {
		targets = slices.DeleteFunc(targets, func(m May) bool { return m.Target != in.Target })
	}
	return nil, mayOut{You: list(id.Actors), Groups: list(id.Groups), Targets: list(targets), Rules: list(rules)}, nil
}

type whyIn struct {
	Session string `json:"session,omitempty" jsonschema:"only of this session"`
	Hold    string `json:"hold,omitempty" jsonschema:"only this hold"`
}

// refused is an action of one's own that did not just run.
type refused struct {
	Code    string    `json:"code" jsonschema:"blocked, held, denied, expired, withdrawn or approved"`
	Session string    `json:"session"`
	Action  uint64    `json:"action"`
	Time    time.Time `json:"time"`
	Target  string    `json:"target"`
	Text    string    `json:"text"`
	Rule    string    `json:"rule"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Hold    string    `json:"hold,omitempty"`
	URL     string    `json:"url,omitempty" jsonschema:"where approvers see the hold"`
}

type whyOut struct {
	Refused []refused `json:"refused" jsonschema:"newest first"`
}

func (s *server) why(ctx context.Context, _ *mcp.CallToolRequest, in whyIn) (*mcp.CallToolResult, whyOut, error) {
	fail := func(err error) (*mcp.CallToolResult, whyOut, error) {
		return nil, whyOut{}, s.told("why_was_this_blocked", err)
	}
	c := callerOf(ctx)
	page, err := s.Sessions.List(ctx, audit.Filter{Identity: c.id.Subject, Session: in.Session, Limit: maxSessions})
	if err != nil {
		return fail(err)
	}
	mine := slices.DeleteFunc(page.Sessions, func(one audit.Session) bool {
		return one.Issuer != c.id.Issuer || !slices.Equal(one.Actors, c.id.Actors) || access.Is(one.ID) || !isFor(c.id, one.Target)
	})
	ids := make([]string, len(mine))
	for i, one := range mine {
		ids[i] = one.ID
	}
	// Every read of a record is recorded, one's own too.
	if err := s.Record(access.Read{By: c.id, Via: Via, Client: c.client, Way: access.Actions, Sessions: ids, Text: "why_was_this_blocked"}); err != nil {
		return fail(err)
	}
	out := []refused{}
	for _, one := range mine {
		actions, err := s.Sessions.Actions(ctx, one.ID, 0, maxActions)
		if err != nil {
			return fail(err)
		}
		for i := len(actions) - 1; i >= 0 && len(out) < maxRefused; i-- {
			if r, ok := s.refusedOf(&actions[i], one.Target); ok && (in.Hold == "" || in.Hold == r.Hold) {
				out = append(out, r)
			}
		}
	}
	return nil, whyOut{out}, nil
}

// refusedOf tells of an action that was blocked or held.
func (s *server) refusedOf(a *audit.Action, target string) (refused, bool) {
	r := refused{Session: a.Session, Action: a.Ordinal, Time: a.Time, Target: target, Text: a.Text, Rule: a.Rule, Reason: a.Reason,
		Message: a.Message, Hold: a.Hold, URL: s.holdURL(a.Hold)}
	switch {
	case a.Verdict == "block":
		r.Code = "blocked"
	case a.Hold == "":
		return r, false
	case a.HoldState == string(hold.Pending):
		r.Code = "held"
	case a.HoldState == string(hold.Used), a.HoldState == string(hold.Approved):
		r.Code = "approved"
	default:
		r.Code = a.HoldState
	}
	return r, true
}

func (s *server) holdURL(id string) string {
	if s.Page == "" || id == "" {
		return ""
	}
	return s.Page + "/approvals/" + url.PathEscape(id)
}

type requestIn struct {
	Reason string `json:"reason" jsonschema:"why you need it, for the people who decide"`
	Hold   string `json:"hold,omitempty" jsonschema:"one of your holds"`
	Target string `json:"target,omitempty" jsonschema:"a target at which you are about to do something that is held"`
}

type requestOut struct {
	Said string `json:"said"`
	Next string `json:"next" jsonschema:"what to do now"`
}

func (s *server) request(ctx context.Context, _ *mcp.CallToolRequest, in requestIn) (*mcp.CallToolResult, requestOut, error) {
	id := callerOf(ctx).id
	switch {
	case (in.Hold == "") == (in.Target == ""):
		return nil, requestOut{}, errors.New("give either a hold or a target")
	case in.Hold != "":
		_, err := s.own(ctx, in.Hold)
		if err == nil {
			_, err = s.Holds.Tell(ctx, in.Hold, id, in.Reason)
		}
		if err != nil {
			return nil, requestOut{}, s.told("request_access", err)
		}
		return nil, requestOut{in.Reason, "Approvers see it with the hold. Keep the connection open, and ask is_it_approved_yet."}, nil
	}
	targets, _, err := s.Policy.May(ctx, id)
	if err != nil {
		return nil, requestOut{}, s.told("request_access", err)
	}
	i := slices.IndexFunc(targets, func(m May) bool { return m.Target == in.Target })
	if i < 0 || !isFor(id, in.Target) {
		return nil, requestOut{}, fmt.Errorf("there is no target %q for you", in.Target)
	}
	if err := s.Holds.Purpose(id, in.Target, in.Reason); err != nil {
		return nil, requestOut{}, s.told("request_access", err)
	}
	next := "Do it now: what policy holds for approval waits, and approvers see your reason."
	if targets[i].Connect == "block" {
		next = "Policy does not let you connect there, and no approval changes that: ask whoever owns the policy."
	}
	return nil, requestOut{in.Reason, next}, nil
}

type approvedIn struct {
	Hold string `json:"hold" jsonschema:"the hold's id: hld_…"`
}

type approvedOut struct {
	Hold      string    `json:"hold"`
	State     string    `json:"state" jsonschema:"pending, approved, used, denied, expired or withdrawn"`
	Approvals int       `json:"approvals"`
	Quorum    int       `json:"quorum"`
	Approvers []string  `json:"approvers" jsonschema:"groups whose members may approve"`
	Deadline  time.Time `json:"deadline"`
	Reasons   []string  `json:"reasons" jsonschema:"what those said who have decided"`
	URL       string    `json:"url,omitempty"`
}

func (s *server) approved(ctx context.Context, _ *mcp.CallToolRequest, in approvedIn) (*mcp.CallToolResult, approvedOut, error) {
	h, err := s.own(ctx, in.Hold)
	if err != nil {
		return nil, approvedOut{}, s.told("is_it_approved_yet", err)
	}
	out := approvedOut{Hold: h.ID, State: string(h.State), Quorum: max(1, h.Quorum), Approvers: list(h.Approvers), Deadline: h.Deadline,
		Reasons: []string{}, URL: s.holdURL(h.ID)}
	for _, d := range h.Decisions {
		if d.Approve {
			out.Approvals++
		}
		if d.Reason != "" {
			out.Reasons = append(out.Reasons, d.Reason)
		}
	}
	return nil, out, nil
}

// own is a hold of the caller's identity, at a target that their token is for. Others are as if they were not there.
func (s *server) own(ctx context.Context, id string) (hold.Hold, error) {
	h, err := s.Holds.Show(ctx, id)
	if c := callerOf(ctx); err == nil && (!h.Identity.SameAs(c.id) || !isFor(c.id, h.Target)) {
		return hold.Hold{}, fmt.Errorf("%w: no such hold", api.ErrNotFound)
	}
	return h, err
}

// isFor says whether a credential opens sessions at a target, as far as its own limit goes. What is somebody's own is so by their identity, the
// whole chain and who proved it, and not by the credential, which is renewed; but one for fewer targets is told of these only.
func isFor(id identity.Identity, target string) bool {
	limit := token.Targets(id)
	return limit == nil || slices.Contains(limit, target)
}

// told is what the caller is told of an error: kinds that the API tells as well, and no fault of ours in its own words.
func (s *server) told(tool string, err error) error {
	switch {
	case errors.Is(err, api.ErrNotFound):
		return errors.New("you have no such hold")
	case errors.Is(err, api.ErrInvalid), errors.Is(err, api.ErrConflict), errors.Is(err, api.ErrForbidden):
		return err
	}
	s.Log.Error("mcp: a call failed", "tool", tool, "err", err)
	return errors.New("internal error; the control plane's log has the cause")
}

// list is never null in JSON.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

package api

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/hold"
)

var holdStates = []hold.State{hold.Pending, hold.Approved, hold.Used, hold.Denied, hold.Expired, hold.Withdrawn}

func (h *handler) listHolds(w http.ResponseWriter, r *http.Request, _ Caller) error {
	q := query{r: r}
	f := HoldFilter{Target: q.text("target"), Session: q.text("session"), Limit: int(q.number("limit"))}
	for _, s := range r.URL.Query()["state"] {
		if !slices.Contains(holdStates, hold.State(s)) {
			return fmt.Errorf("%w: state %q is not one of %v", ErrInvalid, s, holdStates)
		}
		f.States = append(f.States, hold.State(s))
	}
	if q.err != nil {
		return q.err
	}
	list, err := h.Approvals.List(r.Context(), f)
	if err != nil {
		return err
	}
	if list == nil {
		list = []hold.Hold{}
	}
	return reply(w, map[string]any{"approvals": list})
}

func (h *handler) showHold(w http.ResponseWriter, r *http.Request, _ Caller) error {
	one, err := h.Approvals.Show(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return reply(w, one)
}

// DecisionRequest decides on a hold.
type DecisionRequest struct {
	Reason string `json:"reason,omitempty"`
	// Digest is the hold's digest as the approver saw it: the decision fails
	// when the hold is for anything else.
	Digest string `json:"digest,omitempty"`
	// ShapeFor ("10m") approves the statement's shape as well, in this session or with ShapePool for all connections of
	// the same credential; where policy permits it.
	ShapeFor  string `json:"shape_for,omitempty"`
	ShapePool bool   `json:"shape_pool,omitempty"`
	// As and Groups state who decides, on the admin socket only.
	As     string   `json:"as,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

func (h *handler) approve(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.decide(w, r, c, true)
}

func (h *handler) deny(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.decide(w, r, c, false)
}

func (h *handler) decide(w http.ResponseWriter, r *http.Request, c Caller, approve bool) error {
	var q DecisionRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	by, err := decider(c, q.As, q.Groups)
	if err != nil {
		return err
	}
	v := Vote{ID: r.PathValue("id"), Digest: q.Digest, By: by, Approve: approve, Reason: q.Reason, Via: c.Via, ShapePool: q.ShapePool}
	if v.ShapeFor, err = ShapeTime(q.ShapeFor); err != nil {
		return err
	}
	one, err := h.Approvals.Decide(r.Context(), v)
	if err != nil {
		return err
	}
	return reply(w, one)
}

// ShapeTime reads for how long a shape is approved; "" is for once.
func ShapeTime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%w: shape_for %q is not a duration like 10m", ErrInvalid, text)
	}
	return d, nil
}

// watchHolds sends the pending holds, then each hold as it changes. The stream ends
// when the client is too slow; it then connects again.
func (h *handler) watchHolds(w http.ResponseWriter, r *http.Request, _ Caller) error {
	changes := h.Approvals.Watch(r.Context()) // before the list, so that none is missed
	list, err := h.Approvals.List(r.Context(), HoldFilter{States: []hold.State{hold.Pending}})
	if err != nil {
		return err
	}
	s := startEvents(w)
	slices.Reverse(list) // oldest first
	for _, one := range list {
		if s.send("hold", one) != nil {
			return nil
		}
	}
	for {
		select {
		case one, ok := <-changes:
			if !ok || s.send("hold", one) != nil {
				return nil
			}
		case <-s.beat.C:
			if s.comment("") != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

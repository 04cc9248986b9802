package approval

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// Config of a Service.
type Config struct {
	Rules Rules
	// Owner names this control plane replica: the same after a restart,
	// different from any other's.
	Owner string
	// Approvers are the groups that may approve a hold for which policy names
	// none; without them such a hold is refused.
	Approvers []string
	// Estimate asks a hold's target what it expects of the action; nil for none, and where there is none to be had. It is called beside
	// the hold, which waits for neither its answer nor its failure.
	Estimate func(context.Context, hold.Hold) (*hold.Estimate, error)
	// Left is told of each hold that this service withdrew because the process in which it waited is gone: once, whichever of the
	// replicas found it. nil for nobody.
	Left func(hold.Hold)
	Now  func() time.Time
	Log  *slog.Logger
}

// Service keeps actions waiting and takes decisions.
type Service struct {
	c        Config
	store    Store
	waiters  waiters
	purposes purposes
	asking   asking
	cancel   func()
}

// OtherOwners are the replicas, beside this one, that have open holds.
func (s *Service) OtherOwners(ctx context.Context) ([]string, error) {
	all, err := s.store.List(ctx, Filter{States: open, Limit: MaxLimit})
	if err != nil {
		return nil, err
	}
	var others []string
	for _, r := range all {
		if r.Owner != s.c.Owner && !slices.Contains(others, r.Owner) {
			others = append(others, r.Owner)
		}
	}
	return others, nil
}

// storeTimeout bounds a store call that must not end with the caller's context.
const storeTimeout = 5 * time.Second

// New makes the service and withdraws the holds that this owner left open:
// the calls that waited for them are gone.
func New(ctx context.Context, store Store, c Config) (*Service, error) {
	if c.Owner == "" || c.Now == nil || c.Log == nil {
		return nil, errors.New("approval: an option is missing")
	}
	s := &Service{c: c, store: store}
	if err := s.WithdrawLeft(ctx, c.Owner); err != nil {
		return nil, err
	}
	s.cancel = store.Watch(s.waiters.changed)
	return s, nil
}

// Close stops watching the store. Holds that wait go on until their context ends.
func (s *Service) Close() {
	s.cancel()
	s.asking.close()
}

// WithdrawLeft withdraws the open holds of a replica that is gone: the calls that waited for them are, too.
func (s *Service) WithdrawLeft(ctx context.Context, owner string) error {
	for {
		left, err := s.store.List(ctx, Filter{States: open, Owner: owner, Limit: MaxLimit})
		if err != nil {
			return fmt.Errorf("approval: looking for holds left open: %w", err)
		}
		if len(left) == 0 {
			return nil
		}
		for _, r := range left {
			h, err := s.change(ctx, r.Hold.ID, Event{Kind: Withdraw})
			if errors.Is(err, ErrEnded) {
				continue // another replica was quicker
			}
			if err != nil {
				return fmt.Errorf("approval: withdrawing a hold left open: %w", err)
			}
			if s.c.Left != nil {
				s.c.Left(h)
			}
			s.c.Log.Info("a hold is withdrawn: its connection did not survive the restart", "hold", r.Hold.ID)
		}
	}
}

// change applies one event, again while others change the hold first.
func (s *Service) change(ctx context.Context, id string, e Event) (hold.Hold, error) {
	for {
		r, err := s.store.Get(ctx, id)
		if err != nil {
			return hold.Hold{}, err
		}
		e.At = s.c.Now().UTC()
		if err := s.c.Rules.Apply(&r.Hold, e); err != nil {
			return r.Hold, err
		}
		_, err = s.store.Update(ctx, r)
		if err == nil {
			return r.Hold, nil
		}
		if !errors.Is(err, ErrConflict) {
			return hold.Hold{}, err
		}
	}
}

// Hold keeps an action until it is decided, its deadline passes, or ctx ends
// (it is withdrawn then). State Used in the answer is the one permission to
// run it. ErrInvalid says that it cannot be held; any other error that
// its fate is not known. Neither lets it run.
func (s *Service) Hold(ctx context.Context, h hold.Hold) (hold.Hold, error) {
	now := s.c.Now().UTC()
	h.Created, h.State, h.Decisions, h.Ended, h.Estimate = now, hold.Pending, []hold.Decision{}, time.Time{}, nil
	h.Purpose = s.purposes.get(purposeKey(h.Identity, h.Target), now)
	if len(h.Approvers) == 0 {
		h.Approvers = slices.Clone(s.c.Approvers)
	}
	if last := now.Add(MaxWait); h.Deadline.After(last) {
		h.Deadline = last
	}
	h.Deadline = h.Deadline.UTC()
	h.Quorum = s.c.Rules.quorum(&h)
	if err := checkHold(&h, now); err != nil {
		return hold.Hold{}, err
	}
	wake, err := s.waiters.add(h.ID, h.Session)
	if err != nil {
		return hold.Hold{}, err
	}
	defer s.waiters.remove(h.ID)
	// Not ctx: a hold that may have been kept must be known to have been.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := s.store.Create(keep, Record{Hold: h, Owner: s.c.Owner}); err != nil {
		return hold.Hold{}, err
	}
	s.repeat(keep, h)
	defer s.estimate(ctx, h)()
	return s.wait(ctx, h, wake)
}

// wait returns when the hold has ended.
func (s *Service) wait(ctx context.Context, h hold.Hold, wake <-chan struct{}) (hold.Hold, error) {
	deadline := time.NewTimer(h.Deadline.Sub(s.c.Now()))
	defer deadline.Stop()
	for {
		var e Event
		select {
		case <-ctx.Done():
			e.Kind = Withdraw
		default:
			select {
			case <-ctx.Done():
				e.Kind = Withdraw
			case <-deadline.C:
				e.Kind = Expire
				deadline.Reset(10 * time.Millisecond) // in case the two clocks differ
			case <-wake:
				e.Kind = Use
			}
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		now, err := s.change(call, h.ID, e)
		cancel()
		switch {
		case err == nil:
			return now, nil
		case errors.Is(err, ErrEnded) && now.State != hold.Used: // Used only by our own event, once
			return now, nil
		case errors.Is(err, ErrIllegal), errors.Is(err, ErrTooLate): // not approved yet, or the deadline's turn
			continue
		}
		return hold.Hold{}, fmt.Errorf("approval: %s: %w", e.Kind, err)
	}
}

// Vote is what somebody decides.
type Vote struct {
	ID string
	// Digest is what they saw; "" decides on whatever the hold is for.
	Digest string
	By     identity.Identity
	Reason string
	Via    string // "admin-socket", "api" …
	// ShapeFor approves the action's shape as well, for a time, and with ShapePool for all connections of the credential.
	ShapeFor  time.Duration
	ShapePool bool
}

// ErrDigest: what was shown to the approver is not what is held.
var ErrDigest = errors.New("the hold is for another action than the one that was shown")

// Approve counts an approval. It fails with ErrForbidden, ErrEnded,
// ErrTooLate, ErrIllegal, ErrNotFound or ErrDigest.
func (s *Service) Approve(ctx context.Context, v Vote) (hold.Hold, error) {
	return s.vote(ctx, v, true)
}

// Deny ends a hold. It fails like Approve.
func (s *Service) Deny(ctx context.Context, v Vote) (hold.Hold, error) { return s.vote(ctx, v, false) }

func (s *Service) vote(ctx context.Context, v Vote, approve bool) (hold.Hold, error) {
	if v.Digest != "" {
		r, err := s.store.Get(ctx, v.ID)
		if err != nil {
			return hold.Hold{}, err
		}
		if r.Hold.Digest != v.Digest {
			return r.Hold, ErrDigest
		}
	}
	h, err := s.change(ctx, v.ID, Event{Kind: Decide, Decision: hold.Decision{By: v.By, Approve: approve, Reason: v.Reason, Via: v.Via,
		ShapeFor: v.ShapeFor, ShapePool: v.ShapePool}})
	log := s.c.Log.With("hold", v.ID, "by", v.By.Chain(), "method", v.By.Method, "via", v.Via, "approve", approve)
	if err != nil {
		log.Warn("a decision is refused", "err", err)
		return h, err
	}
	log.Info("a decision is taken", "state", string(h.State), "shape_for", v.ShapeFor)
	if v.ShapeFor > 0 && h.State == hold.Approved {
		s.spread(ctx, h)
	}
	return h, nil
}

// List gives holds, newest first.
func (s *Service) List(ctx context.Context, f Filter) ([]hold.Hold, error) {
	records, err := s.store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	holds := make([]hold.Hold, len(records))
	for i, r := range records {
		holds[i] = r.Hold
	}
	return holds, nil
}

// Prune forgets holds that have ended and were created before a time.
func (s *Service) Prune(ctx context.Context, before time.Time) (int64, error) {
	return s.store.Prune(ctx, before)
}

// Show gives one hold, or ErrNotFound.
func (s *Service) Show(ctx context.Context, id string) (hold.Hold, error) {
	r, err := s.store.Get(ctx, id)
	return r.Hold, err
}

package approval_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/hold"
)

// asking is a service whose targets answer with ask.
func asking(t *testing.T, ask func(context.Context, hold.Hold) (*hold.Estimate, error)) *approval.Service {
	t.Helper()
	store, _ := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
	s, err := approval.New(t.Context(), store, approval.Config{Owner: "one", Estimate: ask, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestEstimate: what a target expects is told with the hold, and changes nothing else of it.
func TestEstimate(t *testing.T) {
	go1 := make(chan struct{})
	s := asking(t, func(_ context.Context, h hold.Hold) (*hold.Estimate, error) {
		<-go1
		return &hold.Estimate{Verb: "delete", Rows: 3}, nil
	})
	watch := s.Watch(t.Context())
	out := holding(t.Context(), s, sample(1, time.Minute))
	first := pendingOne(t, watch)
	close(go1)
	h := first
	for h.Estimate == nil {
		h = pendingOne(t, watch)
	}
	if h.Estimate.Rows != 3 || h.Digest != first.Digest || h.State != hold.Pending || len(h.Decisions) != 0 {
		t.Errorf("%+v", h)
	}
	if _, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, Digest: first.Digest, By: dba("dana"), Via: "test"}); err != nil {
		t.Fatal(err)
	}
	if got := <-out; got.err != nil || got.h.State != hold.Used || got.h.Estimate == nil {
		t.Errorf("%+v", got)
	}
}

// TestEstimateIsNotWaitedFor: a target that does not answer, or fails, keeps nobody from deciding, and its question ends with the hold.
func TestEstimateIsNotWaitedFor(t *testing.T) {
	asked, ended := make(chan struct{}, 1), make(chan error, 1)
	s := asking(t, func(ctx context.Context, h hold.Hold) (*hold.Estimate, error) {
		if h.ID == sample(2, 0).ID {
			return nil, errors.New("the target is not there")
		}
		asked <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return &hold.Estimate{}, nil
	})
	for n := range 2 {
		watch := s.Watch(t.Context())
		out := holding(t.Context(), s, sample(n+1, time.Minute))
		h := pendingOne(t, watch)
		if n == 0 {
			<-asked // a hold that is decided before is not asked for
		}
		if _, err := s.Deny(t.Context(), approval.Vote{ID: h.ID, By: dba("dana"), Via: "test"}); err != nil {
			t.Fatal(err)
		}
		if got := <-out; got.err != nil || got.h.State != hold.Denied || got.h.Estimate != nil {
			t.Errorf("%+v", got)
		}
	}
	<-ended
}

func TestNote(t *testing.T) {
	now := time.Now()
	for _, state := range []hold.State{hold.Approved, hold.Used, hold.Denied, hold.Expired, hold.Withdrawn} {
		h := hold.Hold{State: state, Deadline: now.Add(time.Minute)}
		if err := (approval.Rules{}).Apply(&h, approval.Event{Kind: approval.Note, Estimate: &hold.Estimate{}, At: now}); err == nil || h.Estimate != nil {
			t.Errorf("%s: %v, %+v", state, err, h)
		}
	}
}

package session

import (
	"context"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/ulid"
)

type authorizer struct {
	err  error
	ends time.Time
	held chan check.HoldResponse
}

func (a *authorizer) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	return check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: identity.New("user:a", "agent:b"), Ends: a.ends,
		Target: policy.Target{Name: req.Target}, Decision: policy.Decision{Verdict: policy.Allow}}, a.err
}

func (a *authorizer) Hold(ctx context.Context, _ check.HoldRequest) (check.HoldResponse, error) {
	select {
	case r := <-a.held:
		return r, nil
	case <-ctx.Done():
		return check.HoldResponse{}, ctx.Err()
	}
}

func TestCancelKeys(t *testing.T) {
	rt := New(Options{})
	a := &Cancel{PID: 7, Secret: []byte{1, 2, 3, 4}}
	b := &Cancel{PID: 7, Secret: []byte{1, 2, 3, 5}}
	removeA, removeB := rt.AddCancel(a), rt.AddCancel(b)
	if rt.FindCancel(7, []byte{1, 2, 3, 5}) != b || rt.FindCancel(7, []byte{1, 2, 3, 4}) != a {
		t.Error("wrong session")
	}
	for _, k := range [][]byte{nil, {1, 2, 3}, {1, 2, 3, 6}, {1, 2, 3, 4, 0}} {
		if rt.FindCancel(7, k) != nil {
			t.Errorf("%v was found", k)
		}
	}
	if rt.FindCancel(8, a.Secret) != nil {
		t.Error("another process id")
	}
	removeA()
	if rt.FindCancel(7, a.Secret) != nil || rt.FindCancel(7, b.Secret) != b {
		t.Error("removed the wrong one")
	}
	removeB()
}

package approval

import (
	"context"
	"errors"
	"time"

	"dragoman.dev/dragoman/internal/hold"
)

// Record is a hold as a store keeps it.
type Record struct {
	Hold hold.Hold
	// Version grows with every change, from 1.
	Version int64
	// Owner is the control plane replica that the waiting filter is connected to.
	Owner string
}

// Filter chooses holds. Zero fields choose all.
type Filter struct {
	States  []hold.State
	Target  string
	Session string
	Owner   string
	Since   time.Time // created then or later
	Limit   int       // 0 means DefaultLimit
}

// Limits of List.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// Change says that a hold changed. An empty ID says that any may have (a
// store that lost its notifications for a while).
type Change struct{ ID string }

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such hold")
	ErrExists   = errors.New("a hold of this id exists already")
	// ErrConflict: somebody else changed it first; read it again.
	ErrConflict = errors.New("the hold has changed meanwhile")
)

// Store keeps holds. The conformance suite in storetest says in full what it
// promises; every implementation runs it. All methods are safe for concurrent use,
// and what they return is the caller's.
type Store interface {
	// Create adds a hold; it is version 1 then. It fails with ErrExists.
	Create(ctx context.Context, r Record) error
	// Get fails with ErrNotFound.
	Get(ctx context.Context, id string) (Record, error)
	// Update replaces the hold if it still has r.Version and has not ended,
	// else it fails with ErrConflict (or ErrNotFound). It returns the new version.
	Update(ctx context.Context, r Record) (int64, error)
	// List gives holds, newest first.
	List(ctx context.Context, f Filter) ([]Record, error)
	// Prune forgets holds that have ended and were created before a time, and says how many. Records have them all the same.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// Watch calls f after every change by anybody, in no particular order, from
	// any goroutine, until cancel is called; f must not block. A change that
	// is committed before Watch returns may be left out.
	Watch(f func(Change)) (cancel func())
}

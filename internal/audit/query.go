package audit

import (
	"context"
	"fmt"

	"dragoman.dev/dragoman/internal/audit/index"
)

// What the index says, and how it is asked.
type (
	Session = index.Session
	Action  = index.Action
	Filter  = index.Query
	Page    = index.Page
)

// ErrNotFound says that there is no such session.
var ErrNotFound = index.ErrNotFound

// List returns sessions, newest first. A *index.QueryError says what is wrong with the filter.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	p, err := s.index.List(ctx, f)
	if err != nil {
		return p, fmt.Errorf("audit: %w", err)
	}
	return p, nil
}

// Get returns one session, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Session, error) {
	r, err := s.index.Get(ctx, id)
	if err != nil {
		return r, fmt.Errorf("audit: %w", err)
	}
	return r, nil
}

// Actions returns a session's actions after an ordinal, in order; limit as in Filter.
func (s *Store) Actions(ctx context.Context, id string, after uint64, limit int) ([]Action, error) {
	a, err := s.index.Actions(ctx, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return a, nil
}

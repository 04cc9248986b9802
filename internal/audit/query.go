package audit

import (
	"context"

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
func (s *Store) List(ctx context.Context, f Filter) (Page, error) { return list(ctx, s.index, f) }

// Get returns one session, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Session, error) { return get(ctx, s.index, id) }

// Actions returns a session's actions after an ordinal, in order; limit as in Filter.
func (s *Store) Actions(ctx context.Context, id string, after uint64, limit int) ([]Action, error) {
	return actions(ctx, s.index, id, after, limit)
}

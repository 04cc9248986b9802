package audit

import (
	"context"

	"dragoman.dev/dragoman/internal/translog"
)

// ConsistencyBetween is Consistency up to a size that the log had; to 0 is the newest checkpoint's.
func (s *Store) ConsistencyBetween(ctx context.Context, from, to uint64) (translog.Consistency, error) {
	return s.log.ConsistencyBetween(ctx, from, to)
}

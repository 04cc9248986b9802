package audit

import (
	"context"
	"fmt"
	"path/filepath"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/translog"
)

// TakeOver prepares a store in files whose last process may live and have files of it open, though it cannot open, make,
// rename or remove any more: live bodies become other files, and the log's locks are broken.
func TakeOver(ctx context.Context, dir string) error {
	if err := blob.NewFiles(dir).Renew(ctx, sessionsDir, liveExt); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := translog.BreakLocks(filepath.Join(dir, logDir)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

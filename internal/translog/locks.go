package translog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// BreakLocks takes away the locks that a process holds which cannot write to the log's folder any more, such as one that was
// stopped and shut out. A process that can still write must not have the log open.
func BreakLocks(dir string) error {
	locks, err := filepath.Glob(filepath.Join(dir, ".state", "*.lock"))
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range locks {
		if err := os.Remove(l); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package backtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/record"
)

const liveExt = ".live"

// skew is how far a gateway's clock may be ahead of that of the store's files.
const skew = 24 * time.Hour

// Record is one session's frames in order, as record.Reader gives them.
type Record interface {
	Next() (record.Frame, error)
	Close() error
}

// file is one session's record.
type file struct {
	name string // its path below the store's folder
	id   string
}

// history lists the records in a store's folder that may have actions since then, newest
// sessions first. A file that was last written before has none.
func history(ctx context.Context, dir string, since time.Time) ([]file, error) {
	var all []file
	root := filepath.Join(dir, "sessions")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root {
			return nil // sealed or deleted meanwhile
		}
		if err != nil || d.IsDir() {
			return err
		}
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		ext := filepath.Ext(path)
		id := strings.TrimSuffix(filepath.Base(path), ext)
		if ext != liveExt && ext != record.SealedExt || !record.ValidSession(id) || access.Is(id) {
			return nil
		}
		if !since.IsZero() {
			if info, err := d.Info(); err == nil && info.ModTime().Before(since.Add(-skew)) {
				return nil
			}
		}
		all = append(all, file{name: relative(dir, path), id: id})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("backtest: there is no record store in %s", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return newestFirst(all), nil
}

// history lists the records there are. Of those in a bucket nothing says when they were written last: all are looked into.
func (opt Options) history(ctx context.Context) ([]file, error) {
	if opt.Bodies == nil {
		return history(ctx, opt.Dir, opt.Since)
	}
	var all []file
	err := opt.Bodies.List(ctx, "sessions/", func(key string) error {
		ext := path.Ext(key)
		id := strings.TrimSuffix(path.Base(key), ext)
		if (ext == liveExt || ext == record.SealedExt) && record.ValidSession(id) && !access.Is(id) {
			all = append(all, file{name: key, id: id})
		}
		return ctx.Err()
	})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return newestFirst(all), nil
}

func relative(dir, path string) string {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// newestFirst sorts by day and id, whose text grows with time. Of a session that was sealed while
// the folder was read, one of its two files is kept.
func newestFirst(all []file) []file {
	slices.SortFunc(all, func(a, b file) int {
		if n := strings.Compare(filepath.Dir(b.name), filepath.Dir(a.name)); n != 0 {
			return n
		}
		return strings.Compare(b.id, a.id)
	})
	return slices.CompactFunc(all, func(a, b file) bool { return a.id == b.id })
}

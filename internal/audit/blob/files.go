package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Files is a Store in a folder: a file for each body, of the key's name.
type Files struct {
	dir string

	mu     sync.Mutex
	synced map[string]bool // folders whose own entry is safe
}

var _ Store = (*Files)(nil)

// NewFiles keeps bodies below a folder, which exists.
func NewFiles(dir string) *Files { return &Files{dir: dir, synced: map[string]bool{}} }

func (s *Files) path(key string) (string, error) {
	if !ValidKey(key) {
		return "", fmt.Errorf("blob: key %q: %w", key, fs.ErrInvalid)
	}
	return filepath.Join(s.dir, filepath.FromSlash(key)), nil
}

// Create implements Store.
func (s *Files) Create(_ context.Context, key string) (Body, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &fileBody{File: f, s: s, fresh: true}, nil
}

// Append implements Store.
func (s *Files) Append(_ context.Context, key string) (Body, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileBody{File: f, s: s, size: info.Size()}, nil
}

type fileBody struct {
	*os.File
	s     *Files
	size  int64
	fresh bool // its name may not be safe
}

func (b *fileBody) Size() int64 { return b.size }

func (b *fileBody) Write(p []byte) (int, error) {
	n, err := b.File.WriteAt(p, b.size)
	b.size += int64(n)
	return n, err
}

func (b *fileBody) Truncate(size int64) error {
	if size > b.size {
		return fmt.Errorf("blob: %s: truncate to %d of %d: %w", b.Name(), size, b.size, fs.ErrInvalid)
	}
	if err := b.File.Truncate(size); err != nil {
		return err
	}
	b.size = size
	return nil
}

func (b *fileBody) Sync(context.Context) error {
	if err := b.File.Sync(); err != nil || !b.fresh {
		return err
	}
	if err := b.s.syncDirs(filepath.Dir(b.Name()), true); err != nil {
		return err
	}
	b.fresh = false
	return nil
}

// syncDirs makes a folder's entries safe, and the folder itself up to ours.
func (s *Files) syncDirs(dir string, always bool) error {
	for ; len(dir) >= len(s.dir); dir = filepath.Dir(dir) {
		s.mu.Lock()
		known := s.synced[dir]
		s.mu.Unlock()
		if known && !always {
			return nil // and so are those above
		}
		if err := syncDir(dir); err != nil {
			return err
		}
		always = false
		s.mu.Lock()
		s.synced[dir] = true
		s.mu.Unlock()
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tempPrefix begins names that are no keys.
const tempPrefix = ".put-"

// Put implements Store.
func (s *Files) Put(_ context.Context, key string, write func(io.Writer) error) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return err
	}
	err = write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return s.syncDirs(filepath.Dir(path), true)
}

// Renew puts a copy in the place of each body whose key has this prefix and this suffix: whoever has one of them open
// writes into nothing from then on.
func (s *Files) Renew(ctx context.Context, prefix, suffix string) error {
	return s.List(ctx, prefix, func(key string) error {
		if !strings.HasSuffix(key, suffix) {
			return nil
		}
		old, err := s.Open(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer old.Close()
		return s.Put(ctx, key, func(w io.Writer) error {
			_, err := io.Copy(w, old.(fileReader).File)
			return err
		})
	})
}

type fileReader struct {
	*os.File
	size int64
}

func (r fileReader) Size() int64 { return r.size }

// Open implements Store.
func (s *Files) Open(_ context.Context, key string) (Reader, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return fileReader{f, info.Size()}, nil
}

// Delete implements Store.
func (s *Files) Delete(_ context.Context, key string) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements Store. A body that goes away meanwhile may be left out.
func (s *Files) List(ctx context.Context, prefix string, f func(string) error) error {
	root := filepath.Join(s.dir, filepath.FromSlash(prefix[:strings.LastIndex(prefix, "/")+1]))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(s.dir, path)
		key := filepath.ToSlash(rel)
		if err != nil || !ValidKey(key) || !strings.HasPrefix(key, prefix) {
			return err
		}
		return f(key)
	})
	return err
}

package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/internal/audit/blob"
)

func (opt VerifyOptions) bodies(dir string) blob.Store {
	if opt.Bodies != nil {
		return opt.Bodies
	}
	return blob.NewFiles(dir)
}

// records calls f for each record, by the path that it has or would have below dir.
func (v *verification) records(ctx context.Context, f func(path, id, ext string) error) error {
	if v.opt.Bodies == nil {
		return files(v.dir, f)
	}
	return v.opt.Bodies.List(ctx, sessionsDir, func(key string) error {
		if id, ext, ok := recordName(key); ok {
			return f(filepath.Join(v.dir, filepath.FromSlash(key)), id, ext)
		}
		return nil
	})
}

// local gives a record as a file: the one at path, or a copy of what is elsewhere, until done.
func (v *verification) local(ctx context.Context, path, key string) (at string, done func(), err error) {
	if v.opt.Bodies == nil {
		return path, func() {}, nil
	}
	b, err := v.opt.Bodies.Open(ctx, key)
	if err != nil {
		return "", nil, err
	}
	defer b.Close()
	f, err := os.CreateTemp("", "dragoman-verify-*") // mode 0600
	if err != nil {
		return "", nil, err
	}
	done = func() { os.Remove(f.Name()) }
	_, err = io.CopyBuffer(f, io.NewSectionReader(b, 0, b.Size()), make([]byte, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		done()
		return "", nil, err
	}
	return f.Name(), done, nil
}

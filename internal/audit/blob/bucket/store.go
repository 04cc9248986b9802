// Package bucket is a blob.Store in an object store: anything that gocloud.dev/blob opens, S3 above all.
//
// A final body is one object of the body's key. One that grows is a row of parts, since objects cannot be
// appended to:
//
//	KEY/.part/begin                  the body exists
//	KEY/.part/00000000000000012345   its bytes from that place on
//
// A part is written whole at each Sync, so what was synced is there. Small parts are joined from time to time: the
// joined one replaces the first of them, which readers take since it is longer, and then the others go. ".part" is in no
// body's key (blob.ValidKey).
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	gcblob "gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"dragoman.dev/dragoman/internal/audit/blob"
)

// partDir is between a body's key and the names of its parts.
const partDir = "/.part/"

// Options of a Store.
type Options struct {
	// Final is called before a final body is written: there an S3 bucket's object lock is asked for. Optional.
	Final func(asFunc func(any) bool) error
	// Timeout bounds each call to the bucket; 0: 30 s.
	Timeout time.Duration
}

// Store keeps bodies in a bucket.
type Store struct {
	b   *gcblob.Bucket
	opt Options
}

var _ blob.Store = (*Store)(nil)

// New keeps bodies in an open bucket, which is the caller's to close.
func New(b *gcblob.Bucket, opt Options) *Store {
	if opt.Timeout <= 0 {
		opt.Timeout = 30 * time.Second
	}
	return &Store{b: b, opt: opt}
}

func valid(key string) error {
	if !blob.ValidKey(key) {
		return fmt.Errorf("blob: key %q: %w", key, fs.ErrInvalid)
	}
	return nil
}

// failed gives the bucket's errors the names that blob.Store promises.
func failed(key string, err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("blob: %s: %w", key, fs.ErrNotExist)
	case gcerrors.AlreadyExists, gcerrors.FailedPrecondition:
		return fmt.Errorf("blob: %s: %w", key, fs.ErrExist)
	}
	return fmt.Errorf("blob: %s: %w", key, err)
}

// write makes one object, whole or not at all.
func (s *Store) write(ctx context.Context, key string, o *gcblob.WriterOptions, f func(io.Writer) error) error {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	o.ContentType = "application/octet-stream"
	w, err := s.b.NewWriter(ctx, key, o)
	if err != nil {
		return failed(key, err)
	}
	if err := f(w); err != nil {
		abort() // before Close, which then makes nothing
		return errors.Join(err, ignore(w.Close()))
	}
	if err := w.Close(); err != nil {
		return failed(key, err)
	}
	return nil
}

func ignore(error) error { return nil }

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.opt.Timeout)
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, key string) (blob.Body, error) {
	if err := valid(key); err != nil {
		return nil, err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if there, err := s.b.Exists(ctx, key); err != nil || there {
		if there {
			err = fs.ErrExist
		}
		return nil, fmt.Errorf("blob: %s: %w", key, err)
	}
	err := s.write(ctx, key+partDir+"begin", &gcblob.WriterOptions{IfNotExist: true}, func(io.Writer) error { return nil })
	if err != nil {
		return nil, err
	}
	return &body{s: s, key: key}, nil
}

// Append implements blob.Store.
func (s *Store) Append(ctx context.Context, key string) (blob.Body, error) {
	if err := valid(key); err != nil {
		return nil, err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	row, stale, there, err := s.parts(ctx, key)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("blob: %s: %w", key, fs.ErrNotExist)
	}
	return &body{s: s, key: key, row: row, stale: stale}, nil
}

// Put implements blob.Store. It has no time limit of its own: a body may be of any size.
func (s *Store) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	if err := valid(key); err != nil {
		return err
	}
	return s.write(ctx, key, &gcblob.WriterOptions{BeforeWrite: s.opt.Final}, write)
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, key string) (blob.Reader, error) {
	if err := valid(key); err != nil {
		return nil, err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	a, err := s.b.Attributes(ctx, key)
	if err == nil {
		return &finalReader{s: s, key: key, size: a.Size}, nil
	}
	if gcerrors.Code(err) != gcerrors.NotFound {
		return nil, failed(key, err)
	}
	row, _, there, err := s.parts(ctx, key)
	if err == nil && !there {
		err = fmt.Errorf("blob: %s: %w", key, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return &reader{s: s, key: key, row: row, first: row.size()}, nil
}

// Delete implements blob.Store. The mark that a body exists goes last, so that what is cut short is found again.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := valid(key); err != nil {
		return err
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	row, stale, there, err := s.parts(ctx, key)
	if err != nil {
		return err
	}
	final, err := s.b.Exists(ctx, key)
	if err != nil {
		return failed(key, err)
	}
	doomed := stale
	if final {
		doomed = append(doomed, key)
	}
	for _, p := range row {
		doomed = append(doomed, p.name(key))
	}
	if there {
		doomed = append(doomed, key+partDir+"begin")
	}
	for _, name := range doomed {
		if err := s.b.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return failed(name, err)
		}
	}
	return nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix string, f func(key string) error) error {
	list := s.b.List(&gcblob.ListOptions{Prefix: prefix})
	last := ""
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := list.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return failed(prefix, err)
		}
		key, _, _ := strings.Cut(o.Key, partDir)
		if key == last || !blob.ValidKey(key) || !strings.HasPrefix(key, prefix) {
			continue
		}
		last = key
		if err := f(key); err != nil {
			return err
		}
	}
}

// readRange fills p from an object, as far as it goes.
func (s *Store) readRange(name string, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	ctx, cancel := s.bounded(context.Background())
	defer cancel()
	r, err := s.b.NewRangeReader(ctx, name, off, int64(len(p)), nil)
	if err != nil {
		return 0, failed(name, err)
	}
	n, err := io.ReadFull(r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, errors.Join(err, r.Close())
}

// finalReader reads one object.
type finalReader struct {
	s    *Store
	key  string
	size int64
}

func (r *finalReader) Size() int64 { return r.size }

func (r *finalReader) ReadAt(p []byte, off int64) (int, error) {
	want := len(p)
	if off >= r.size {
		return 0, io.EOF
	}
	p = p[:min(int64(want), r.size-off)]
	n, err := r.s.readRange(r.key, p, off)
	if err == nil && n < want {
		err = io.EOF
	}
	return n, err
}

func (r *finalReader) Close() error { return nil }

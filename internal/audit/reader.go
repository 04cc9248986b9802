package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

// Reader reads what a Store of another process, or of this one, keeps: from the index, the bodies and the log that
// they share. It is safe for concurrent use.
type Reader struct {
	index index.Index
	arch  *Archive
	log   translog.View
	close func()
}

// ReaderOptions of a Reader.
type ReaderOptions struct {
	Index index.Index // one that is shared; it stays the caller's
	Blobs blob.Store  // nil: files in the folder
	Keys  Keyring     // nil: what is encrypted is not read
}

// NewReader reads the store at dir.
func NewReader(dir string, opt ReaderOptions) *Reader {
	if opt.Blobs == nil {
		opt.Blobs = blob.NewFiles(dir)
	}
	r := &Reader{index: opt.Index, arch: NewArchive(opt.Blobs, opt.Keys), log: translog.NewView(filepath.Join(dir, logDir))}
	r.close = opt.Index.Watch(r.arch.forgetKey) // it may be deleted
	return r
}

// Close ends it; what is being read goes on.
func (r *Reader) Close() error {
	r.close()
	return nil
}

// List is Store.List.
func (r *Reader) List(ctx context.Context, f Filter) (Page, error) { return list(ctx, r.index, f) }

// Get is Store.Get.
func (r *Reader) Get(ctx context.Context, id string) (Session, error) { return get(ctx, r.index, id) }

// Actions is Store.Actions.
func (r *Reader) Actions(ctx context.Context, id string, after uint64, limit int) ([]Action, error) {
	return actions(ctx, r.index, id, after, limit)
}

// Frames opens a session's record for reading. A live one is read as far as it was acknowledged.
func (r *Reader) Frames(ctx context.Context, id string) (*record.Reader, error) {
	row, err := r.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.frames(ctx, row)
}

func (r *Reader) frames(ctx context.Context, row Session) (*record.Reader, error) {
	if filepath.Ext(row.File) == liveExt {
		b, err := r.arch.blobs.Open(ctx, row.File)
		if err == nil {
			return record.NewFileReader(b, row.ID, int64(row.Stream)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	f, err := r.arch.Open(ctx, row.File) // where it is when it was sealed in between, too
	if err != nil {
		return nil, fmt.Errorf("audit: session %s: %w", row.ID, err)
	}
	return f, nil
}

// Proof is Store.Proof.
func (r *Reader) Proof(ctx context.Context, session string) (translog.Inclusion, error) {
	return proof(ctx, r.index, r.log, session)
}

// Consistency is Store.Consistency.
func (r *Reader) Consistency(ctx context.Context, from uint64) (translog.Consistency, error) {
	return r.log.Consistency(ctx, from)
}

// ConsistencyBetween is Store.ConsistencyBetween.
func (r *Reader) ConsistencyBetween(ctx context.Context, from, to uint64) (translog.Consistency, error) {
	return r.log.ConsistencyBetween(ctx, from, to)
}

// Checkpoint is Store.Checkpoint.
func (r *Reader) Checkpoint() ([]byte, error) {
	raw, _, err := r.log.Checkpoint()
	return raw, err
}

func list(ctx context.Context, x index.Index, f Filter) (Page, error) {
	p, err := x.List(ctx, f)
	if err != nil {
		return p, fmt.Errorf("audit: %w", err)
	}
	return p, nil
}

func get(ctx context.Context, x index.Index, id string) (Session, error) {
	s, err := x.Get(ctx, id)
	if err != nil {
		return s, fmt.Errorf("audit: %w", err)
	}
	return s, nil
}

func actions(ctx context.Context, x index.Index, id string, after uint64, limit int) ([]Action, error) {
	a, err := x.Actions(ctx, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return a, nil
}

func proof(ctx context.Context, x index.Index, log translog.View, session string) (translog.Inclusion, error) {
	n, err := x.LastLeaf(ctx, session)
	if err != nil {
		return translog.Inclusion{}, fmt.Errorf("audit: %w", err)
	}
	return log.Inclusion(ctx, n)
}

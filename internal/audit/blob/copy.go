package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Copy copies a body from one store to another, unless it is there already; copied says which. grows says of what kind it is. What is
// written is read again and compared. A copy that was cut short is begun anew.
func Copy(ctx context.Context, from, to Store, key string, grows bool) (copied bool, err error) {
	src, err := from.Open(ctx, key)
	if err != nil {
		return false, err
	}
	defer src.Close()
	want, err := sum(src)
	if err != nil {
		return false, err
	}
	same, err := has(ctx, to, key, want)
	if err != nil || same {
		return false, err
	}
	all := io.NewSectionReader(src, 0, src.Size())
	if grows {
		err = copyGrowing(ctx, to, key, all)
	} else {
		err = to.Put(ctx, key, func(w io.Writer) error { _, err := io.Copy(w, all); return err })
	}
	if err != nil {
		return false, fmt.Errorf("blob: copy %s: %w", key, err)
	}
	if same, err = has(ctx, to, key, want); err == nil && !same {
		err = fmt.Errorf("blob: copy %s: what can be read is not what was written", key)
	}
	return true, err
}

func copyGrowing(ctx context.Context, to Store, key string, all io.Reader) error {
	if err := to.Delete(ctx, key); err != nil {
		return err
	}
	b, err := to.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err = io.Copy(b, all); err == nil {
		err = b.Sync(ctx)
	}
	return errors.Join(err, b.Close())
}

func has(ctx context.Context, s Store, key string, want [sha256.Size]byte) (bool, error) {
	r, err := s.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	got, err := sum(r)
	return err == nil && got == want, err
}

func sum(r Reader) (s [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err = io.CopyBuffer(h, io.NewSectionReader(r, 0, r.Size()), make([]byte, 1<<20)); err == nil {
		h.Sum(s[:0])
	}
	return s, err
}

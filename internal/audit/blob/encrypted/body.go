package encrypted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"sync"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
)

// readAt reads plaintext. It keeps the last chunk, which the next read often goes on in.
type readAt struct {
	chunks
	last  int // index of the chunk in text; -1: none
	plain []byte
}

func (c *readAt) read(r io.ReaderAt, p []byte, off int64) (n int, err error) {
	for i := sort.Search(len(c.list), func(i int) bool { return c.list[i].start+int64(c.list[i].len) > off }); n < len(p) && i < len(c.list); i++ {
		if c.last != i {
			c.last = -1
			if c.plain, err = c.text(r, c.list[i]); err != nil {
				return n, err
			}
			c.last = i
		}
		n += copy(p[n:], c.plain[off+int64(n)-c.list[i].start:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// body is one that grows.
type body struct {
	inner blob.Body
	name  string
	data  record.Key
	readAt
	buf []byte
}

// begin writes a header, and so begins an empty body.
func (b *body) begin() error {
	h, err := newHeader()
	if err != nil {
		return err
	}
	if _, err := b.inner.Write(h); err != nil {
		return err
	}
	b.last = -1
	return b.init(b.data, h[16:], b.name)
}

// load finds the chunks. What a crash cut short is cut off, whether it lacks bytes or has wrong ones.
func (b *body) load() error {
	salt, err := readHeader(b.inner)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if err := b.inner.Truncate(0); err != nil {
			return err
		}
		return b.begin()
	}
	if err != nil {
		return err
	}
	b.last = -1
	if err := b.init(b.data, salt, b.name); err != nil {
		return err
	}
	if err := b.scan(b.inner); err != nil && !errors.Is(err, blob.ErrChanged) {
		return err
	}
	if n := len(b.list); n > 0 {
		if _, err := b.text(b.inner, b.list[n-1]); errors.Is(err, blob.ErrChanged) {
			b.drop(n - 1)
		} else if err != nil {
			return err
		}
	}
	if b.inner.Size() > b.place {
		return b.inner.Truncate(b.place)
	}
	return nil
}

// drop forgets the chunks from number n.
func (c *readAt) drop(n int) {
	if n < len(c.list) {
		c.place, c.size = c.list[n].place, c.list[n].start
		c.list, c.last = c.list[:n], -1
	}
}

func (b *body) Size() int64 { return b.size }

func (b *body) ReadAt(p []byte, off int64) (int, error) { return b.read(b.inner, p, off) }

// Write adds chunks. One that was not written whole is taken back, or is cut off by the next Append.
func (b *body) Write(p []byte) (n int, err error) {
	for n < len(p) {
		text := p[n:min(len(p), n+maxChunk)]
		if b.buf, err = b.seal(b.buf[:0], text); err != nil {
			return n, err
		}
		if b.inner.Size() != b.place { // a write failed before
			if err := b.inner.Truncate(b.place); err != nil {
				return n, err
			}
		}
		if _, err := b.inner.Write(b.buf); err != nil {
			return n, errors.Join(err, b.inner.Truncate(b.place))
		}
		b.add(len(text))
		n += len(text)
	}
	return n, nil
}

// Truncate cuts the end off. A chunk that is cut in two is written again, with a nonce of its own.
func (b *body) Truncate(size int64) error {
	if size > b.size || size < 0 {
		return fmt.Errorf("truncate to %d of %d: %w", size, b.size, fs.ErrInvalid)
	}
	i := sort.Search(len(b.list), func(i int) bool { return b.list[i].start+int64(b.list[i].len) > size })
	if i == len(b.list) {
		return nil
	}
	k := b.list[i]
	var rest []byte
	if size > k.start {
		b.last = -1 // text is read over it
		text, err := b.text(b.inner, k)
		if err != nil {
			return err
		}
		rest = text[:size-k.start]
	}
	if err := b.inner.Truncate(k.place); err != nil {
		return err
	}
	b.drop(i)
	_, err := b.Write(rest)
	return err
}

func (b *body) Sync(ctx context.Context) error { return b.inner.Sync(ctx) }

func (b *body) Close() error { return b.inner.Close() }

// reader reads a body that may be growing.
type reader struct {
	inner blob.Reader
	mu    sync.Mutex
	readAt
	first int64 // what Size says: the length when it was opened
}

func (r *reader) open(data record.Key, name string) error {
	r.last = -1
	salt, err := readHeader(r.inner)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // empty: its header is being written
	}
	if err != nil {
		return err
	}
	if err := r.init(data, salt, name); err != nil {
		return err
	}
	if err := r.scan(r.inner); err != nil {
		return err
	}
	r.first = r.size
	return nil
}

func (r *reader) Size() int64 { return r.first }

// ReadAt implements io.ReaderAt. Behind what was there at first it looks for more.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.aead == nil {
		return 0, io.EOF
	}
	if off+int64(len(p)) > r.size {
		if err := r.scan(r.inner); err != nil {
			return 0, err
		}
	}
	return r.read(r.inner, p, off)
}

// Close closes the body inside.
func (r *reader) Close() error { return r.inner.Close() }

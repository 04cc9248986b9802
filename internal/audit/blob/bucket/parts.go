package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strconv"
	"strings"
	"sync"

	gcblob "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

const (
	// maxPending is how much is kept in memory between two Syncs; more is written at once.
	maxPending = 8 << 20
	// Small parts at the end of a body are joined when there are joinAt of them.
	joinAt    = 32
	smallPart = 4 << 20
	// maxTail bounds a part that is written again with more at its end, and stays in memory for that.
	maxTail = 16 << 10
)

// part is an object that has a piece of a body.
type part struct{ start, size int64 }

func (p part) end() int64 { return p.start + p.size }

func (p part) name(key string) string { return fmt.Sprintf("%s%s%020d", key, partDir, p.start) }

// row are the parts of a body, without gaps or overlaps.
type row []part

func (r row) size() int64 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1].end()
}

// at is the number of the part that has a place.
func (r row) at(off int64) int {
	return sort.Search(len(r), func(i int) bool { return r[i].end() > off })
}

// parts lists the parts of a body. Stale are those that a joined one has in it, and those that a Truncate which was
// cut short has left; they do not count. there says that the body exists.
func (s *Store) parts(ctx context.Context, key string) (r row, stale []string, there bool, err error) {
	list := s.b.List(&gcblob.ListOptions{Prefix: key + partDir})
	for {
		o, err := list.Next(ctx)
		if err == io.EOF {
			return r, stale, there, nil
		}
		if err != nil {
			return nil, nil, false, failed(key, err)
		}
		name := strings.TrimPrefix(o.Key, key+partDir)
		if name == "begin" {
			there = true
			continue
		}
		start, err := strconv.ParseInt(name, 10, 64)
		if err == nil && start == r.size() && o.Size > 0 {
			r = append(r, part{start: start, size: o.Size})
		} else {
			stale = append(stale, o.Key)
		}
	}
}

// body is one that grows.
type body struct {
	s       *Store
	key     string
	row     row
	pending []byte // behind the last part
	tail    []byte // what the last part has, if it may be written again with more
	// torn: a try to write the last part again failed, and nobody knows how much of it there is. It must be written first.
	torn   bool
	window window // of what is read
	// stale objects do not count now, and would when parts before them are written otherwise: they go first.
	stale []string
}

// clean removes what is stale.
func (b *body) clean(ctx context.Context) error {
	for n := len(b.stale); n > 0; n = len(b.stale) {
		if err := b.s.b.Delete(ctx, b.stale[n-1]); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return failed(b.key, err)
		}
		b.stale = b.stale[:n-1]
	}
	return nil
}

func (b *body) Size() int64 { return b.row.size() + int64(len(b.pending)) }

func (b *body) Write(p []byte) (int, error) {
	b.window.text = nil // it was read to go on with it
	b.pending = append(b.pending, p...)
	if len(b.pending) < maxPending {
		return len(p), nil
	}
	ctx, cancel := b.s.bounded(context.Background())
	defer cancel()
	if err := b.flush(ctx); err != nil {
		b.pending = b.pending[:len(b.pending)-len(p)]
		return 0, err
	}
	return len(p), nil
}

// flush writes what is pending: as the next part, or with the last one as long as that is small, since many parts are
// many requests for whoever reads them.
func (b *body) flush(ctx context.Context) error {
	if len(b.pending) == 0 {
		return nil
	}
	if err := b.clean(ctx); err != nil {
		return err
	}
	keep := b.row
	p, text := part{start: b.row.size()}, b.pending
	again := b.torn || len(b.tail) > 0 && len(b.tail)+len(text) <= maxTail
	if n := len(b.tail); again {
		p.start -= int64(n)
		keep, text = keep[:len(keep)-1], append(b.tail, text...)
	}
	p.size = int64(len(text))
	if err := b.s.put(ctx, p.name(b.key), text); err != nil {
		b.torn = again
		return err
	}
	b.row, b.tail, b.torn = append(keep, p), nil, false
	if len(text) < maxTail {
		b.tail = append(make([]byte, 0, len(text)), text...)
	}
	b.pending = b.pending[:0]
	return nil
}

func (s *Store) put(ctx context.Context, name string, text []byte) error {
	return s.write(ctx, name, &gcblob.WriterOptions{}, func(w io.Writer) error { _, err := w.Write(text); return err })
}

func (b *body) Sync(ctx context.Context) error {
	ctx, cancel := b.s.bounded(ctx)
	defer cancel()
	if err := b.flush(ctx); err != nil {
		return err
	}
	_ = b.join(ctx) // all is safe already; the next Sync tries again
	return nil
}

// join makes one part of the small ones at the end, when there are many.
func (b *body) join(ctx context.Context) error {
	from := len(b.row)
	var size int64
	for from > 0 && b.row[from-1].size < smallPart && size < maxPending {
		from--
		size += b.row[from].size
	}
	if len(b.row)-from < joinAt {
		return nil
	}
	small := b.row[from:]
	joined := part{start: small[0].start, size: size}
	text := make([]byte, size)
	if _, err := b.s.read(b.key, b.row, text, joined.start); err != nil {
		return err
	}
	if err := b.s.put(ctx, joined.name(b.key), text); err != nil {
		return err
	}
	for _, p := range small[1:] {
		b.stale = append(b.stale, p.name(b.key))
	}
	b.row, b.tail = append(b.row[:from:from], joined), nil
	return b.clean(ctx)
}

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if synced := b.row.size(); off < synced {
		var err error
		n, err = b.window.read(b.s, b.key, b.row, p[:min(int64(len(p)), synced-off)], off)
		if err != nil {
			return n, err
		}
	}
	if n == len(p) {
		return n, nil
	}
	if rest := off + int64(n) - b.row.size(); rest < int64(len(b.pending)) {
		n += copy(p[n:], b.pending[rest:])
	}
	if n < len(p) {
		b.window.text = nil
		return n, io.EOF
	}
	return n, nil
}

// Truncate writes the part anew that is cut in two, and then takes those behind it.
func (b *body) Truncate(size int64) error {
	if size < 0 || size > b.Size() {
		return fmt.Errorf("blob: %s: truncate to %d of %d: %w", b.key, size, b.Size(), fs.ErrInvalid)
	}
	if rest := size - b.row.size(); rest >= 0 {
		b.pending = b.pending[:rest]
		return nil
	}
	ctx, cancel := b.s.bounded(context.Background())
	defer cancel()
	i := b.row.at(size)
	cut := b.row[i]
	keep := make([]byte, size-cut.start)
	if _, err := b.s.read(b.key, b.row, keep, cut.start); err != nil {
		return err
	}
	if err := b.clean(ctx); err != nil {
		return err
	}
	gone := b.row[i+1:]
	if len(keep) == 0 {
		gone = b.row[i:]
	} else if err := b.s.put(ctx, cut.name(b.key), keep); err != nil {
		return err
	}
	for _, p := range gone { // clean begins with the last
		b.stale = append(b.stale, p.name(b.key))
	}
	b.row, b.pending, b.tail, b.torn, b.window.text = b.row[:i:i], b.pending[:0], nil, false, nil
	if len(keep) > 0 {
		b.row = append(b.row, part{start: cut.start, size: int64(len(keep))})
	}
	return b.clean(ctx)
}

func (b *body) Close() error { return nil }

// reader reads a body that grows. Behind what was there at first, and where parts were joined meanwhile, it looks
// again. It is safe for concurrent use.
type reader struct {
	s     *Store
	key   string
	first int64

	mu     sync.Mutex
	row    row
	window window
}

func (r *reader) Size() int64 { return r.first }

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off+int64(len(p)) > r.row.size() {
		if err := r.look(); err != nil {
			return 0, err
		}
	}
	n, err := r.window.read(r.s, r.key, r.row, p, off)
	if errors.Is(err, fs.ErrNotExist) {
		if err := r.look(); err != nil {
			return 0, err
		}
		n, err = r.window.read(r.s, r.key, r.row, p, off)
	}
	return n, err
}

func (r *reader) look() error {
	ctx, cancel := r.s.bounded(context.Background())
	defer cancel()
	row, _, there, err := r.s.parts(ctx, r.key)
	if err == nil && there {
		r.row = row
	}
	return err
}

func (r *reader) Close() error { return nil }

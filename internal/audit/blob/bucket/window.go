package bucket

import (
	"io"

	"golang.org/x/sync/errgroup"
)

const (
	// What is read ahead begins with firstWindow bytes, and grows to maxWindow for who reads on: records are read in
	// pieces of some bytes, and each request to a bucket takes milliseconds.
	firstWindow = 16 << 10
	maxWindow   = 1 << 20
	// readsAtOnce is how many parts are asked for at the same time.
	readsAtOnce = 8
)

// window is a piece of a body that was read ahead. What a body has does not change, but for its end being cut off.
type window struct {
	off  int64
	text []byte
}

func (w *window) end() int64 { return w.off + int64(len(w.text)) }

// read fills p from the parts, as Store.read does.
func (w *window) read(s *Store, key string, r row, p []byte, off int64) (n int, err error) {
	for total := r.size(); n < len(p) && off < total; {
		if off < w.off || off >= w.end() {
			if err := w.move(s, key, r, off); err != nil {
				return n, err
			}
		}
		m := copy(p[n:], w.text[off-w.off:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		w.text = nil // the end is reached
		return n, io.EOF
	}
	return n, nil
}

// move reads another piece.
func (w *window) move(s *Store, key string, r row, off int64) error {
	size := int64(firstWindow)
	if had := int64(len(w.text)); had > 0 && off >= w.end() && off < w.end()+had {
		size = min(4*max(had, size), maxWindow)
	}
	text := make([]byte, min(size, r.size()-off))
	if _, err := s.read(key, r, text, off); err != nil {
		return err
	}
	w.off, w.text = off, text
	return nil
}

// read fills p from the parts. A part that is gone, since it was joined with others, is fs.ErrNotExist.
func (s *Store) read(key string, r row, p []byte, off int64) (n int, err error) {
	type piece struct {
		part part
		p    []byte
		at   int64
		n    int
		err  error
	}
	var pieces []*piece
	for i := r.at(off); n < len(p) && i < len(r); i++ {
		at := off + int64(n) - r[i].start
		size := min(len(p)-n, int(r[i].size-at))
		pieces = append(pieces, &piece{part: r[i], p: p[n : n+size], at: at})
		n += size
	}
	var g errgroup.Group
	g.SetLimit(readsAtOnce)
	for _, one := range pieces {
		g.Go(func() error {
			one.n, one.err = s.readRange(one.part.name(key), one.p, one.at)
			return nil
		})
	}
	_ = g.Wait() // each piece has its own
	n = 0
	for _, one := range pieces {
		if n += one.n; one.err != nil {
			return n, one.err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
)

// Tail follows a session's frames as they arrive. It reads them from the file, so a slow reader
// holds up nobody and misses nothing.
type Tail struct {
	r    *record.Reader
	skip uint64
}

// Tail follows a session from its first frame, or with history false from those that come
// next. It ends with the session, or with the context.
func (s *Store) Tail(ctx context.Context, id string, history bool) (*Tail, error) {
	l := s.liveSession(id)
	if l == nil {
		r, err := s.Frames(ctx, id)
		if err != nil {
			return nil, err
		}
		t := &Tail{r: r}
		if !history {
			t.skip = 1 << 63
		}
		return t, nil
	}
	f, err := s.blobs.Open(ctx, l.key)
	if errors.Is(err, fs.ErrNotExist) && s.liveSession(id) != l {
		return s.Tail(ctx, id, history) // sealed in between
	}
	if err != nil {
		return nil, err
	}
	t := &Tail{r: record.NewStreamReader(&growing{ctx: ctx, l: l, f: f}, id)}
	t.r.Own(f)
	if !history {
		t.skip = l.safe.Load()
	}
	return t, nil
}

// Next waits for the next frame, valid until the call after. It returns io.EOF when the
// session has ended.
func (t *Tail) Next() (record.Frame, error) {
	for {
		f, err := t.r.Next()
		if err != nil || t.r.Offset() > t.skip {
			return f, err
		}
	}
}

// Close ends the tail.
func (t *Tail) Close() error { return t.r.Close() }

var errInterrupted = errors.New("the store reads this record again: follow it anew")

// growing reads a live file's stream as far as it is safe, and waits there.
type growing struct {
	ctx context.Context
	l   *session
	f   blob.Reader
	off uint64
}

func (g *growing) Read(b []byte) (int, error) {
	for {
		g.l.mu.Lock()
		safe, ended, dead, grown := g.l.safe.Load(), g.l.ended, g.l.dead, g.l.grown
		g.l.mu.Unlock()
		if g.off < safe {
			n, err := g.f.ReadAt(b[:min(uint64(len(b)), safe-g.off)], int64(record.StreamHeaderLen+g.off))
			g.off += uint64(n)
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		if ended {
			return 0, io.EOF
		}
		if dead {
			return 0, errInterrupted
		}
		select {
		case <-grown:
		case <-g.ctx.Done():
			return 0, g.ctx.Err()
		}
	}
}

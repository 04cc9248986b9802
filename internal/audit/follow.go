package audit

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
)

const (
	// followEvery is how often a session that is followed is looked at although nobody told of a change.
	followEvery = time.Second
	// followTries bounds how often a record is opened again without a new frame, followPause apart: whoever writes it
	// may have died, and another one is taking over.
	followTries = 100
	followPause = 200 * time.Millisecond
)

// Follow follows a session's frames as they are acknowledged, whichever process takes them in. A slow reader holds up
// nobody and misses nothing.
type Follow struct {
	r       *Reader
	ctx     context.Context
	id      string
	changed chan struct{}
	unwatch func()

	open  *record.Reader
	past  uint64 // stream offset behind the last frame that was returned, or is not asked for
	tries int
}

// Tail is Store.Tail, for a session that another process may write.
func (r *Reader) Tail(ctx context.Context, id string, history bool) (*Follow, error) {
	row, err := r.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	f := &Follow{r: r, ctx: ctx, id: id, changed: make(chan struct{}, 1)}
	f.unwatch = r.index.Watch(func(session string) {
		if session == id || session == "" {
			select {
			case f.changed <- struct{}{}:
			default:
			}
		}
	})
	if !history {
		f.past = row.Stream
	}
	return f, nil
}

// Next waits for the next frame, valid until the call after. It returns io.EOF when the session has ended.
func (f *Follow) Next() (record.Frame, error) {
	for {
		frame, err := f.next()
		switch {
		case err == nil && f.open.Offset() <= f.past:
			continue // it was returned before the record was opened again
		case err == nil:
			f.past, f.tries = f.open.Offset(), 0
			return frame, nil
		case errors.Is(err, io.EOF), errors.Is(err, ErrNotFound), f.ctx.Err() != nil:
			return record.Frame{}, err
		}
		if f.tries++; f.tries > followTries {
			return record.Frame{}, err
		}
		f.close()
		select {
		case <-f.ctx.Done():
			return record.Frame{}, f.ctx.Err()
		case <-time.After(followPause):
		}
	}
}

func (f *Follow) next() (record.Frame, error) {
	if f.open == nil {
		row, err := f.r.Get(f.ctx, f.id)
		if err != nil {
			return record.Frame{}, err
		}
		if f.open, err = f.reader(row); err != nil {
			return record.Frame{}, err
		}
	}
	return f.open.Next()
}

func (f *Follow) reader(row Session) (*record.Reader, error) {
	if !row.Live || filepath.Ext(row.File) != liveExt {
		return f.r.frames(f.ctx, row)
	}
	b, err := f.r.arch.blobs.Open(f.ctx, row.File)
	if err != nil {
		return nil, err // sealed in between; the next look says so
	}
	r := record.NewStreamReader(&followed{f: f, body: b, safe: row.Stream}, f.id)
	r.Own(b)
	return r, nil
}

func (f *Follow) close() {
	if f.open != nil {
		_ = f.open.Close() // it was only read
		f.open = nil
	}
}

// Close ends it.
func (f *Follow) Close() error {
	f.unwatch()
	f.close()
	return nil
}

// followed reads a live body's stream as far as it is acknowledged, and waits there.
type followed struct {
	f     *Follow
	body  blob.Reader
	at    uint64
	safe  uint64 // as the index says
	ended bool
}

func (g *followed) Read(b []byte) (int, error) {
	for {
		if g.at < g.safe {
			n, err := g.body.ReadAt(b[:min(uint64(len(b)), g.safe-g.at)], int64(record.StreamHeaderLen+g.at))
			g.at += uint64(n)
			if n > 0 {
				return n, nil
			}
			if err == io.EOF { // what is acknowledged is there: this is another body than the index means by now
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if g.ended {
			return 0, io.EOF
		}
		if err := g.wait(); err != nil {
			return 0, err
		}
	}
}

// wait returns when the index knows more.
func (g *followed) wait() error {
	for {
		row, err := g.f.r.Get(g.f.ctx, g.f.id)
		if err != nil {
			return err
		}
		if row.Stream < g.at { // its end was cut off, to be closed as lost
			return errInterrupted
		}
		if row.Stream > g.safe || !row.Live {
			g.safe, g.ended = row.Stream, !row.Live
			return nil
		}
		select {
		case <-g.f.changed:
		case <-time.After(followEvery):
		case <-g.f.ctx.Done():
			return g.f.ctx.Err()
		}
	}
}

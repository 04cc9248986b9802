// Package replay renders a session's record for people and programs: as text, as JSON
// lines, at the pace at which it happened or at once. It owns the
// presentation and the decoding of recorded wire bytes, one Protocol each; frames
// come verified from package record. It streams: its memory does not grow with the session.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// Source gives frames in order: a *record.Reader, or a live tail.
type Source interface {
	Next() (record.Frame, error)
}

// Options of a replay. The zero value is a replay at once of all.
type Options struct {
	// Speed is how many times faster than it happened: 1 is in time, 0 is at once.
	Speed float64
	// MaxPause bounds a single pause; 0 means no bound.
	MaxPause time.Duration
	// MaxRows is how many rows of a result the text shows; 0 means all. JSON always has all.
	MaxRows int
	// Sleep waits; nil means with a real timer.
	Sleep func(context.Context, time.Duration) error
}

// renderer shows one frame after the other.
type renderer interface {
	frame(record.Frame) error
	// end is called once, when there are no more frames.
	end() error
}

// Text writes the session as text. Control characters of what was recorded are shown, not sent: a
// record must not be able to command the terminal that shows it.
func Text(ctx context.Context, w io.Writer, src Source, opt Options) error {
	return run(ctx, newText(w, opt), src, opt)
}

// JSON writes one object a frame.
func JSON(ctx context.Context, w io.Writer, src Source, opt Options) error {
	return run(ctx, newJSON(w), src, opt)
}

func run(ctx context.Context, r renderer, src Source, opt Options) error {
	p := pace{opt: opt}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			return r.end()
		}
		if err != nil {
			return errors.Join(r.end(), fmt.Errorf("replay: %w", err))
		}
		if err := p.wait(ctx, f.Time); err != nil {
			return errors.Join(r.end(), err)
		}
		if err := r.frame(f); err != nil {
			return fmt.Errorf("replay: frame %d: %w", f.Seq, err)
		}
	}
}

// pace waits as long as the session did, times the speed.
type pace struct {
	opt  Options
	last time.Time
}

func (p *pace) wait(ctx context.Context, at time.Time) error {
	last := p.last
	p.last = at
	if p.opt.Speed <= 0 || last.IsZero() {
		return nil
	}
	d := time.Duration(float64(at.Sub(last)) / p.opt.Speed)
	if p.opt.MaxPause > 0 {
		d = min(d, p.opt.MaxPause)
	}
	if d <= 0 {
		return nil
	}
	if p.opt.Sleep != nil {
		return p.opt.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

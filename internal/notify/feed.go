package notify

import (
	"context"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/record"
)

// Feed makes events of the store's frames, and puts them into the outbox before the frames
// are acknowledged. It implements audit.Feed.
type Feed struct {
	outbox   Outbox
	sessions map[string]*told
	pending  []export.Event
	ended    []string
	err      error
	wake     func()
}

// told is how far a session was told of.
type told struct {
	events *export.Assembler
	next   uint64 // frame
	kept   uint64 // events of frames up to this are in the outbox or were
	known  bool
}

// NewFeed fills the outbox; wake is called when there is something new.
func NewFeed(o Outbox, wake func()) *Feed {
	return &Feed{outbox: o, sessions: map[string]*told{}, wake: wake}
}

// Frame implements audit.Feed. A session that begins again is read again from its file.
func (f *Feed) Frame(session string, fr record.Frame) {
	s := f.sessions[session]
	if fr.Seq == 0 {
		f.forget(session)
		s = &told{events: export.NewAssembler(session)}
		var err error
		if s.kept, s.known, err = f.outbox.Progress(context.Background(), session); err != nil {
			f.err = err
		}
		f.sessions[session] = s
	}
	if s == nil || fr.Seq != s.next {
		return // it was dropped, and comes again from its beginning
	}
	s.next++
	for _, e := range s.events.Add(fr) {
		if !s.known || e.Seq > s.kept {
			f.pending = append(f.pending, e)
		}
	}
	if fr.Kind == record.KindClose {
		f.ended = append(f.ended, session)
	}
}

// forget drops what of a session is not kept yet.
func (f *Feed) forget(session string) {
	delete(f.sessions, session)
	left := f.pending[:0]
	for _, e := range f.pending {
		if e.Session != session {
			left = append(left, e)
		}
	}
	f.pending = left
}

// Commit implements audit.Feed.
func (f *Feed) Commit(ctx context.Context) error {
	err := f.err
	if f.err = nil; err == nil && len(f.pending) > 0 {
		err = f.outbox.Add(ctx, f.pending)
	}
	if err != nil {
		return err // Drop follows
	}
	for _, e := range f.pending {
		if s := f.sessions[e.Session]; s != nil {
			s.kept, s.known = max(s.kept, e.Seq), true
		}
	}
	if len(f.pending) > 0 {
		f.wake()
	}
	for _, session := range f.ended {
		delete(f.sessions, session)
	}
	f.pending, f.ended = nil, nil
	return nil
}

// Drop implements audit.Feed. The sessions that it concerns come again from frame 0.
func (f *Feed) Drop() {
	for _, e := range f.pending {
		delete(f.sessions, e.Session)
	}
	f.pending, f.ended, f.err = nil, nil, nil
}

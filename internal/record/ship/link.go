package ship

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship/shippb"
)

// link is one connection to the control plane.
type link struct {
	s        *Shipper
	stream   connectClient
	states   map[string]*state
	inflight uint64
	acks     chan Ack
	failed   chan error
	backlog  []record.Backlog
	piece    []byte // Send does not keep it
}

// state is how far a session is on this connection.
type state struct {
	known    bool // the control plane told how far it is
	acked    uint64
	sent     uint64
	freed    uint64
	ended    bool // Ended was sent
	settled  bool // and acknowledged
	diverged bool
	notUntil time.Time
	seen     bool
}

func (l *link) receive(ctx context.Context) error {
	for {
		m, err := l.stream.Recv()
		if err != nil {
			return err
		}
		switch m := m.Message.(type) {
		case *shippb.ControlMessage_Ack:
			a := Ack{Session: m.Ack.GetSession(), Offset: m.Ack.GetOffset(), Diverged: m.Ack.GetDiverged(), Retry: m.Ack.GetRetry()}
			select {
			case l.acks <- a:
			case <-ctx.Done():
				return ctx.Err()
			}
		case *shippb.ControlMessage_Control:
			l.s.opt.OnControl(Control{Session: m.Control.GetSession(), Token: m.Control.GetToken(), Reason: m.Control.GetReason()})
		}
	}
}

func (l *link) run(ctx context.Context) error {
	poll := time.NewTicker(l.s.opt.Poll)
	defer poll.Stop()
	recover := time.NewTicker(l.s.opt.Recover)
	defer recover.Stop()
	for due := true; ; {
		if err := l.pass(due); err != nil {
			l.s.opt.Log.Debug("send to the control plane", "error", err)
			return l.reason()
		}
		due = false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.failed:
			return err
		case a := <-l.acks:
			l.acked(a)
			for range len(l.acks) {
				l.acked(<-l.acks)
			}
		case <-l.s.opt.Spool.Wake():
		case <-poll.C:
			due = true
		case <-recover.C:
			l.s.recover()
		}
	}
}

// reason is why the stream broke, which only Recv knows. Acks that are still on
// their way would keep it from coming to that.
func (l *link) reason() error {
	for {
		select {
		case err := <-l.failed:
			return err
		case <-l.acks:
		}
	}
}

// pass sends what there is to send, as far as the windows allow. Of live sessions it sends what is
// less than readSize only when that is due: each message costs the control plane
// an fsync, and an Ack that had the next few frames sent at once would make one of each.
func (l *link) pass(due bool) error {
	l.backlog = l.s.opt.Spool.Backlogs(l.backlog[:0])
	for _, b := range l.backlog {
		st := l.states[b.Session]
		if st == nil {
			st = &state{}
			l.states[b.Session] = st
			if err := l.stream.Send(data(b.Session, 0, nil)); err != nil {
				return err
			}
		}
		st.seen = true
		if b.Live && !due && st.known && b.End-min(b.End, st.sent) < readSize {
			continue
		}
		if err := l.session(b, st); err != nil {
			return err
		}
	}
	for id, st := range l.states {
		if !st.seen {
			delete(l.states, id)
		}
		st.seen = false
	}
	return nil
}

func (l *link) session(b record.Backlog, st *state) error {
	if !st.known || time.Now().Before(st.notUntil) {
		return nil
	}
	if st.diverged {
		l.setAside(b)
		return nil
	}
	l.release(b, st)
	for st.sent < b.End && st.sent-st.acked < sessionWindow && l.inflight < totalWindow {
		if l.piece == nil {
			l.piece = make([]byte, readSize)
		}
		piece := l.piece[:min(readSize, b.End-st.sent)]
		n, err := l.s.opt.Spool.ReadAt(b.Session, piece, max(st.sent, b.Start))
		if err != nil {
			// This session waits; the others go on.
			l.s.opt.Log.Error("record cannot be read", "session", b.Session, "offset", st.sent, "error", err)
			st.notUntil = time.Now().Add(retryAfter)
			return nil
		}
		if n == 0 {
			return nil
		}
		st.sent = max(st.sent, b.Start)
		for p := range slices.Chunk(piece[:n], pieceSize) {
			if err := l.stream.Send(data(b.Session, st.sent, p)); err != nil {
				return err
			}
			st.sent += uint64(len(p))
			l.inflight += uint64(len(p))
		}
	}
	// With nothing of the session on its way, the next Ack is that of its end: only that
	// one says that the control plane knows, and that the last segment can go.
	if b.Live || st.acked < b.End || st.ended {
		return nil
	}
	st.ended = true
	return l.stream.Send(ended(b.Session, b.End))
}

// acked takes an Ack in.
func (l *link) acked(a Ack) {
	st := l.states[a.Session]
	if st == nil {
		return
	}
	switch {
	case a.Diverged:
		l.s.opt.Log.Error("the control plane has another record of this session", "session", a.Session, "offset", a.Offset)
		st.diverged, st.known = true, true
		l.rewind(st, a.Offset)
		return
	case a.Retry:
		st.notUntil = time.Now().Add(retryAfter)
		st.known, st.ended = true, false
		l.rewind(st, a.Offset)
		return
	case !st.known:
		st.known = true
		st.acked, st.sent = a.Offset, a.Offset
	case a.Offset > st.acked:
		l.inflight -= min(l.inflight, a.Offset-st.acked)
		st.acked = a.Offset
		st.sent = max(st.sent, a.Offset)
	}
	st.settled = st.ended
}

// rewind makes the next piece start at offset.
func (l *link) rewind(st *state, offset uint64) {
	l.inflight -= min(l.inflight, st.sent-min(st.sent, st.acked))
	st.acked, st.sent = offset, offset
}

// release frees what is safe. The last segment stays until the control plane knows that the
// session has ended.
func (l *link) release(b record.Backlog, st *state) {
	safe := st.acked
	if !st.settled {
		safe = min(safe, max(b.End, 1)-1)
	}
	if safe <= st.freed && !st.settled {
		return
	}
	st.freed = safe
	if err := l.s.opt.Spool.Release(b.Session, safe); err != nil && !errors.Is(err, os.ErrNotExist) {
		l.s.opt.Log.Warn("record segment", "session", b.Session, "error", err)
	}
}

func (l *link) setAside(b record.Backlog) {
	if b.Live {
		return
	}
	if err := l.s.opt.Spool.SetAside(b.Session); err != nil {
		l.s.opt.Log.Error("record cannot be set aside", "session", b.Session, "error", err)
	}
}

package audit

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

// syncsAtOnce is how many files of a batch are fsynced at the same time.
const syncsAtOnce = 8

var _ ship.Ingest = (*Store)(nil)

// batch is one Append: what it touches becomes safe together, or is loaded again.
type batch struct {
	s       *Store
	touched []*session
	ops     ops
	opened  map[string]opened // sessions that are not in memory
}

// newBatch begins one, under the store's lock.
func (s *Store) newBatch() *batch { return &batch{s: s, ops: ops{decoder: &s.decoder}} }

// Append implements ship.Ingest: when it returns, the acknowledged bytes are on the disk and in the index.
func (s *Store) Append(ctx context.Context, node string, chunks []ship.Chunk) ([]ship.Ack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	b := s.newBatch()
	b.openAll(ctx, node, chunks)
	defer b.closeLeft()
	acks := map[string]ship.Ack{}
	var order []string
	for _, c := range chunks {
		if acks[c.Session].Diverged || acks[c.Session].Retry {
			continue
		}
		if _, ok := acks[c.Session]; !ok {
			order = append(order, c.Session)
		}
		acks[c.Session] = b.chunk(ctx, node, c)
	}
	if err := b.commit(ctx); err != nil {
		b.rollback()
		return nil, fmt.Errorf("audit: %w", err)
	}
	out := make([]ship.Ack, len(order))
	for i, id := range order {
		out[i] = acks[id]
	}
	return out, nil
}

// chunk takes one piece in. What is wrong with one session is no other's matter: its ack says it.
func (b *batch) chunk(ctx context.Context, node string, c ship.Chunk) ship.Ack {
	ack := ship.Ack{Session: c.Session}
	l, row, err := b.session(ctx, node, c.Session)
	if err != nil {
		b.s.opt.Log.Error("record cannot be kept", "session", c.Session, "error", err)
		ack.Retry = true
		return ack
	}
	if l == nil { // sealed: all of it is here
		ack.Offset = row.Stream
		ack.Diverged = row.Node != node || c.Offset+uint64(len(c.Data)) > row.Stream
		return ack
	}
	if l.row.Node == "" { // a crash came between file and index
		l.row.Node = node
		b.touch(l)
	}
	if l.row.Node != node {
		b.s.opt.Log.Error("record comes from another node than it began on", "session", c.Session, "node", node, "first", l.row.Node)
		ack.Diverged = true
		return ack
	}
	return b.data(ctx, l, c)
}

func (b *batch) data(ctx context.Context, l *session, c ship.Chunk) ship.Ack {
	have := l.stream.Offset()
	ack := ship.Ack{Session: c.Session, Offset: have}
	switch {
	case l.stream.Ended():
		ack.Diverged = c.Offset+uint64(len(c.Data)) > have
		return ack
	case c.Offset > have && !c.Ended:
		ack.Retry = true // a piece is missing
		return ack
	case c.Offset+uint64(len(c.Data)) > have:
		b.touch(l)
		err := l.write(c.Data[have-c.Offset:], func(f record.Frame) error { return b.frame(l, f) })
		var corrupt *record.CorruptError
		switch {
		case errors.As(err, &corrupt):
			b.s.opt.Log.Error("record does not go on where it was", "session", c.Session, "error", err)
			ack.Offset, ack.Diverged = l.stream.Whole(), true
			if whole := l.stream.Whole(); whole > have { // the frames before the bad one are good
				_, werr := l.body.Write(c.Data[have-c.Offset : whole-c.Offset])
				l.broken = werr != nil
			}
			if !l.broken {
				b.lost(ctx, l)
			}
			return ack
		case err != nil:
			b.s.opt.Log.Error("record cannot be written", "session", c.Session, "error", err)
			l.broken = true
			ack.Retry = true
			return ack
		}
	}
	if c.Ended && !l.broken && !l.stream.Ended() {
		b.touch(l)
		b.lost(ctx, l)
	}
	ack.Offset = max(l.stream.Offset(), have)
	return ack
}

// session finds or begins a session. For a sealed one it returns nil and the row.
func (b *batch) session(ctx context.Context, node, id string) (*session, Session, error) {
	if l := b.s.live[id]; l != nil && !l.broken {
		return l, Session{}, nil
	}
	o, ok := b.opened[id]
	if !ok {
		o = b.s.open(ctx, node, id)
	}
	delete(b.opened, id)
	switch {
	case o.err != nil:
		return nil, o.row, o.err
	case o.sealed:
		return nil, o.row, nil
	case !o.l.created:
		if o.row.ID != "" {
			node = o.row.Node
		}
		l, err := b.load(ctx, o.l, node)
		return l, o.row, err
	}
	b.adopt(o.l)
	return o.l, o.row, nil
}

// load makes a session's state from its body, which may be open already, and puts into the index what that does not have yet.
func (b *batch) load(ctx context.Context, l *session, node string) (*session, error) {
	if old := b.s.live[l.id]; old != nil {
		b.evict(old)
	}
	l.row.Node, l.row.Started = node, b.s.opt.Now()
	known := uint64(0) // frames that the index has
	if row, err := b.s.Get(ctx, l.id); err == nil {
		known = row.Frames
		if node == "" {
			l.row.Node = row.Node
		}
	}
	var err error
	if l.body == nil {
		err = l.append(ctx, b.s.blobs)
	}
	if err == nil {
		err = l.read(func(f record.Frame) error {
			if l.stream.Frames() <= known {
				return b.known(l, f)
			}
			return b.frame(l, f)
		})
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	b.adopt(l)
	return l, nil
}

func (b *batch) adopt(l *session) {
	b.s.tails.Lock()
	b.s.live[l.id] = l
	b.s.tails.Unlock()
	b.touch(l)
}

// evict forgets a session's state in memory. Its tails end; its file stays.
func (b *batch) evict(l *session) {
	l.broken = true
	if err := l.close(); err != nil {
		b.s.opt.Log.Warn("record file", "session", l.id, "error", err)
	}
	b.s.tails.Lock()
	if b.s.live[l.id] == l {
		delete(b.s.live, l.id)
	}
	b.s.tails.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	l.wake()
}

// commit makes all that the batch touched safe, tells tails, and has ended sessions sealed.
func (b *batch) commit(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(syncsAtOnce)
	for _, l := range b.touched {
		if !l.broken {
			g.Go(func() error { return l.body.Sync(ctx) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, l := range b.touched {
		if !l.broken {
			l.refresh()
			b.ops.batch.Sessions = append(b.ops.batch.Sessions, l.row)
		}
	}
	if err := b.s.feedCommit(ctx); err != nil {
		return err
	}
	if err := b.s.index.Write(context.WithoutCancel(ctx), &b.ops.batch); err != nil {
		return err
	}
	for _, l := range b.touched {
		if l.broken {
			b.evict(l)
			continue
		}
		l.publish()
		if l.stream.Ended() {
			b.s.sealSoon(l.id)
		}
	}
	return nil
}

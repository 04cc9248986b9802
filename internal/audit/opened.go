package audit

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"dragoman.dev/dragoman/internal/record/ship"
)

// opensAtOnce is how many sessions are begun, loaded or removed at the same time: where bodies are far away each of
// them waits for some answers.
const opensAtOnce = 16

// opened is a session that is not in memory.
type opened struct {
	l      *session // begun, or with its body open to be read; nil: sealed
	row    Session
	sealed bool // all of it is here
	err    error
}

// openAll opens the sessions of a batch together that are not in memory, when they are several.
func (b *batch) openAll(ctx context.Context, node string, chunks []ship.Chunk) {
	var ids []string
	seen := map[string]bool{}
	for _, c := range chunks {
		if l := b.s.live[c.Session]; (l == nil || l.broken) && !seen[c.Session] {
			seen[c.Session] = true
			ids = append(ids, c.Session)
		}
	}
	if len(ids) < 2 {
		return
	}
	all := make([]opened, len(ids))
	each(len(ids), func(i int) { all[i] = b.s.open(ctx, node, ids[i]) })
	b.opened = map[string]opened{}
	for i, id := range ids {
		b.opened[id] = all[i]
	}
}

// closeLeft closes what was opened and not asked for.
func (b *batch) closeLeft() {
	for id, o := range b.opened {
		if o.l != nil {
			if err := o.l.close(); err != nil {
				b.s.opt.Log.Warn("record file", "session", id, "error", err)
			}
		}
	}
	b.opened = nil
}

// each calls f for 0 to n-1, for some of them at the same time.
func each(n int, f func(i int)) {
	var g errgroup.Group
	g.SetLimit(opensAtOnce)
	for i := range n {
		g.Go(func() error { f(i); return nil })
	}
	_ = g.Wait() // f has no errors
}

// open begins a session, or opens the body of one.
func (s *Store) open(ctx context.Context, node, id string) (o opened) {
	o.row, o.err = s.Get(ctx, id)
	switch {
	case o.err == nil && o.row.Sealed:
		o.sealed = true
		return o
	case o.err == nil:
		o.l = newSession(id, o.row.File)
		o.err = o.l.append(ctx, s.blobs)
		return o
	case !errors.Is(o.err, ErrNotFound):
		return o
	}
	if _, d, err := s.lastEntry(ctx, id); d != nil { // sent again after its record was deleted
		return opened{sealed: true, row: Session{ID: id, Node: node, Stream: d.Bytes}}
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		o.err = err
		return o
	}
	o.l = newSession(id, sessionsDir+s.opt.Now().UTC().Format("2006/01/02")+"/"+id+liveExt)
	o.l.row.Node, o.l.row.Started = node, s.opt.Now()
	o.err = o.l.create(ctx, s.blobs)
	o.l.created = o.err == nil
	if errors.Is(o.err, fs.ErrExist) { // the index does not know it
		o.err = o.l.append(ctx, s.blobs)
	}
	return o
}

package page

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

// Bounds of what is remembered of records that were read, so that a late action of a long one is found without reading all before it.
const (
	maxTrails = 32
	maxPlaces = 64
	// firstStep is how far places are apart at first, in bytes of the record; it doubles when there are too many of them.
	firstStep = 1 << 20
)

// marker is a record that can be read from places in it (*record.Reader).
type marker interface {
	Mark() (record.Mark, bool)
	Resume(record.Mark) error
}

// place is one in a record, up to which this process has verified the chain. No frame before it is of a later action than last.
type place struct {
	mark   record.Mark
	last   uint64
	open   []byte         // the session's first frame
	walker *replay.Walker // as it was there; never used, but copied
}

// trail is what is remembered of one record.
type trail struct {
	mu     sync.Mutex
	step   uint64
	places []place // by their offset
}

// near gives the last place before which nothing of an action is; ok is false when that is the record's beginning.
func (t *trail) near(ordinal uint64) (p place, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range slices.Backward(t.places) {
		if one.last < ordinal {
			return one, true
		}
	}
	return p, false
}

// end is the last place of all.
func (t *trail) end() (p place, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.places); n > 0 {
		return t.places[n-1], true
	}
	return p, false
}

// wants reports whether a place there would be of use.
func (t *trail) wants(m record.Mark) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := m.Offset()
	if at < t.step {
		return false
	}
	i, _ := slices.BinarySearchFunc(t.places, at, func(p place, at uint64) int { return cmp.Compare(p.mark.Offset(), at) })
	return (i == 0 || at-t.places[i-1].mark.Offset() >= t.step) && (i == len(t.places) || t.places[i].mark.Offset()-at >= t.step)
}

func (t *trail) add(p place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places = append(t.places, p)
	slices.SortFunc(t.places, func(a, b place) int { return cmp.Compare(a.mark.Offset(), b.mark.Offset()) })
	if len(t.places) <= maxPlaces {
		return
	}
	t.step *= 2
	kept := t.places[:0]
	for _, p := range t.places {
		if p.mark.Offset() >= t.step && (len(kept) == 0 || p.mark.Offset()-kept[len(kept)-1].mark.Offset() >= t.step) {
			kept = append(kept, p)
		}
	}
	clear(t.places[len(kept):])
	t.places = kept
}

func (t *trail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places, t.step = nil, firstStep
}

// trails are those of the records that were read last. The zero value is ready.
type trails struct {
	mu   sync.Mutex
	by   map[string]*trail
	used []string // the last one last
}

func (t *trails) of(id string) *trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]*trail{}
	}
	if i := slices.Index(t.used, id); i >= 0 {
		t.used = slices.Delete(t.used, i, i+1)
	} else if len(t.used) >= maxTrails {
		delete(t.by, t.used[0])
		t.used = t.used[1:]
	}
	t.used = append(t.used, id)
	if t.by[id] == nil {
		t.by[id] = &trail{step: firstStep}
	}
	return t.by[id]
}

// reading is a record that is read, from its beginning or a place in it, and remembers places.
type reading struct {
	src    api.Frames
	walker *replay.Walker
	trail  *trail
	open   []byte
	last   uint64
	from   uint64 // frames before the place that it began at
}

// read opens a record where nothing of the action was yet. An ordinal of 0 is its beginning. open is given the session's
// first frame in any case.
func (s *server) read(ctx context.Context, id string, ordinal uint64, open func(record.Frame)) (*reading, error) {
	t := s.trails.of(id)
	p, ok := t.near(ordinal)
	return s.readFrom(ctx, id, t, p, ok && ordinal > 0, open)
}

func (s *server) readFrom(ctx context.Context, id string, t *trail, p place, there bool, open func(record.Frame)) (*reading, error) {
	src, err := s.Sessions.Frames(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &reading{src: src, walker: &replay.Walker{}, trail: t}
	m, is := src.(marker)
	if !is || !there {
		return r, nil
	}
	if err := m.Resume(p.mark); err != nil { // it was sealed meanwhile, say
		t.forget()
		return r, nil
	}
	if w, ok := p.walker.Copy(); ok {
		r.walker, r.open, r.last, r.from = w, p.open, p.last, p.mark.Frames()
		if open != nil && p.open != nil {
			open(record.Frame{Kind: record.KindOpen, Payload: p.open})
		}
		return r, nil
	}
	src.Close()
	t.forget()
	return s.readFrom(ctx, id, t, place{}, false, open)
}

func (r *reading) Close() error { return r.src.Close() }

// step takes the next frame with its messages.
func (r *reading) step(frame func(record.Frame) error, message func(record.Frame, replay.Event) error) error {
	err := r.walker.Step(r.src, func(f record.Frame) error {
		r.seen(f)
		return frame(f)
	}, message)
	if err == nil {
		r.remember()
	}
	return err
}

func (r *reading) seen(f record.Frame) {
	r.last = max(r.last, f.Action)
	if f.Kind == record.KindOpen {
		r.open = slices.Clone(f.Payload)
	}
}

func (r *reading) remember() {
	m, is := r.src.(marker)
	if !is {
		return
	}
	mark, ok := m.Mark()
	if !ok || !r.trail.wants(mark) {
		return
	}
	if w, ok := r.walker.Copy(); ok {
		r.trail.add(place{mark, r.last, r.open, w})
	}
}

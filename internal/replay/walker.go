package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"dragoman.dev/dragoman/internal/record"
)

// Walker decodes a session's frames one after the other. The zero value begins at a session's first frame.
type Walker struct{ proto Protocol }

// Step takes the next frame: gives it to frame, and its decoded messages one by one to message. What the functions get is
// valid during the call. It ends with the source's io.EOF, or with the first error of a function.
func (w *Walker) Step(src Source, frame func(record.Frame) error, message func(record.Frame, Event) error) error {
	if w.proto == nil {
		w.proto = raw{}
	}
	f, err := src.Next()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if err := frame(f); err != nil {
		return err
	}
	emit := func(e Event) error { return message(f, e) }
	switch f.Kind {
	case record.KindOpen:
		var open record.Open
		if json.Unmarshal(f.Payload, &open) == nil {
			w.proto = newProtocol(open.Target.Protocol)
		}
	case record.KindRequest:
		return w.proto.Request(f.Payload, emit)
	case record.KindResponse:
		return w.proto.Response(f.Payload, emit)
	}
	return nil
}

// copier is a Protocol whose state can be kept for later. copied gives nil while it holds too much.
type copier interface{ copied() Protocol }

// Copy is a Walker that goes on as this one does, on its own. ok is false for protocols whose state is not kept, and
// while there is too much of it.
func (w *Walker) Copy() (out *Walker, ok bool) {
	c, is := w.proto.(copier)
	if !is {
		return nil, false
	}
	p := c.copied()
	if p == nil {
		return nil, false
	}
	return &Walker{p}, true
}

// Bounds of a copied state: how much of a message that is not whole yet, how many names, and how many columns they have in all.
const (
	maxCopied        = 16 << 10
	maxCopiedNames   = 256
	maxCopiedColumns = 4096
)

func (raw) copied() Protocol             { return raw{} }
func (h httpExchanges) copied() Protocol { return h }

func (k *kubernetes) copied() Protocol {
	if k.of == nil {
		return &kubernetes{}
	}
	if of := k.of.(copier).copied(); of != nil {
		return &kubernetes{of}
	}
	return nil
}

// copied: channels with files have packets that are not whole yet.
func (s *sshChannels) copied() Protocol {
	if len(s.files) > 0 {
		return nil
	}
	return newSSH()
}

func (p *postgres) copied() Protocol {
	f := &p.flow
	if len(p.up.pending)+len(p.down.pending) > maxCopied || len(f.ops)+len(f.statements)+len(f.portals) > maxCopiedNames {
		return nil
	}
	columns := 0
	for _, s := range f.statements {
		columns += len(s)
	}
	out := &postgres{up: p.up, down: p.down, flow: *f} // a map of types is nobody else's
	out.up.pending, out.down.pending = slices.Clone(p.up.pending), slices.Clone(p.down.pending)
	out.flow.ops, out.flow.statements, out.flow.portals = slices.Clone(f.ops), maps.Clone(f.statements), make(map[string]*pgPortal, len(f.portals))
	// A portal is changed when it is described, and requests that wait for their answer refer to it.
	same := map[*pgPortal]*pgPortal{}
	portal := func(q *pgPortal) *pgPortal {
		if q == nil || same[q] != nil {
			return same[q]
		}
		one := *q
		columns += len(one.columns)
		same[q] = &one
		return &one
	}
	for name, q := range f.portals {
		out.flow.portals[name] = portal(q)
	}
	for i := range out.flow.ops {
		out.flow.ops[i].portal = portal(out.flow.ops[i].portal)
	}
	if columns > maxCopiedColumns {
		return nil
	}
	return out
}

func (p *mysql) copied() Protocol {
	columns := len(p.defs)
	for _, defs := range p.known {
		columns += len(defs)
	}
	up, ok := p.up.Copy(maxCopied)
	down, ok2 := p.down.Copy(maxCopied)
	if !ok || !ok2 || columns > maxCopiedColumns || len(p.known) > maxCopiedNames {
		return nil
	}
	out := *p
	out.up, out.down, out.defs, out.known = up, down, slices.Clone(p.defs), maps.Clone(p.known)
	return &out
}

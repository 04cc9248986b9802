package postgres

import (
	"strings"

	"dragoman.dev/dragoman/filters/postgres/wire"
)

// A statement or portal name means something for sure only once the target has
// confirmed the message that gave it its meaning: when an earlier message of the
// pipeline fails, the target skips the rest up to the Sync. So a change is
// pending until it is answered. Within its own pipeline it may be relied on (if
// it fails, so does everything after it); a message of a later pipeline that
// uses the name has to wait for the answer. See docs/decisions/0020-blocked-in-pipeline.md.

// maxName is how much of a name the target looks at (NAMEDATALEN-1): of two names that differ only behind it, it
// knows one.
const maxName = 63

// ownNames is how the names begin that the gateway uses itself on the session's connection.
const ownNames = "dragoman"

// plainName reports whether a name means the same to the target as to us, whatever the client's encoding is
// now or was when the name was made.
func plainName[T string | []byte](name T) bool {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return false
		}
	}
	return len(name) <= maxName && !strings.HasPrefix(string(name), ownNames)
}

func nameRefused() wire.Report {
	return refusal("42622", "a name of a statement or portal that is longer than 63 bytes, not ASCII, or begins with "+ownNames, "rule: names.", "Choose another name.")
}

// badName refuses a message for the name in it.
func (c *conn) badName(name []byte) bool {
	if plainName(name) {
		return false
	}
	c.refuseMessage(0, nameRefused())
	return true
}

// space is which kind of name a change is about.
type space uint8

const (
	spaceStatement space = iota
	spacePortal
)

// change is a pending change of a name; undone when the target skipped or failed it.
type change struct {
	space space
	name  string
	seq   uint64
	had   bool
	was   slot
	run   int // of a simple Query: the index of the statement that makes it
}

// slot is what a name means.
type slot struct {
	prepared *prepared // nil in a pending slot: the name is being removed
	portal   *portal
	seq      uint64 // of the pending change that made it; 0: confirmed
	pipeline uint64
}

// namespace holds the names of one space.
type namespace map[string]slot

// lookup finds a name as seen from a pipeline; wait says that its meaning is not yet certain there.
func (n namespace) lookup(name string, pipeline uint64) (s slot, wait bool) {
	s = n[name]
	return s, s.seq != 0 && s.pipeline != pipeline
}

func (r *relay) space(s space) *namespace {
	if s == spaceStatement {
		return &r.statements
	}
	return &r.portals
}

// change gives a name a new meaning (or none, with an empty slot) when e is answered.
func (r *relay) change(e *entry, sp space, name string, s slot, run int) {
	ns := r.space(sp)
	if *ns == nil {
		*ns = namespace{}
	}
	r.seq++
	was, had := (*ns)[name]
	s.seq, s.pipeline = r.seq, e.pipeline
	(*ns)[name] = s
	e.changes = append(e.changes, change{space: sp, name: name, seq: r.seq, had: had, was: was, run: run})
}

// confirm makes e's changes of statements up to run certain.
func (r *relay) confirm(e *entry, run int) {
	rest := e.changes[:0]
	for _, ch := range e.changes {
		if ch.run > run {
			rest = append(rest, ch)
			continue
		}
		ns := *r.space(ch.space)
		s, ok := ns[ch.name]
		if !ok || s.seq != ch.seq {
			continue
		}
		if s.prepared == nil && s.portal == nil {
			delete(ns, ch.name)
			continue
		}
		s.seq = 0
		ns[ch.name] = s
	}
	e.changes = rest
}

// undo takes e's changes back, the last first.
func (r *relay) undo(e *entry) {
	for i := len(e.changes) - 1; i >= 0; i-- {
		ch := e.changes[i]
		ns := *r.space(ch.space)
		if s, ok := ns[ch.name]; !ok || s.seq != ch.seq {
			continue
		}
		if ch.had {
			ns[ch.name] = ch.was
		} else {
			delete(ns, ch.name)
		}
	}
	e.changes = e.changes[:0]
}

// clearPortals forgets portals that the end of a transaction destroys.
func (r *relay) clearPortals() {
	// Cursors of SQL may outlive it; when there are many, they are not known any longer.
	all := len(r.portals) > maxKnown/2
	for name, s := range r.portals {
		if s.seq == 0 && (all || s.portal == nil || !s.portal.withHold) {
			delete(r.portals, name)
		}
	}
}

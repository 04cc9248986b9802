package postgres

import "dragoman.dev/dragoman/internal/sql"

// overlay is what the statements of a message do to names, one after the other. Without
// an entry it only looks ahead, so that the message's later statements are
// judged with what its earlier ones do; with one it makes the changes.
type overlay struct {
	conn     *conn
	pipeline uint64
	entry    *entry
	run      int
	prepared map[string]*sql.Statement // nil value: removed
	cursors  map[string]*sql.Statement
}

// maxKnown bounds the names of one kind that a session's SQL makes.
const maxKnown = 10_000

const (
	runsOther = sql.EffectExecute | sql.EffectFetch
	allNames  = "" // DEALLOCATE ALL, CLOSE ALL
)

// withInner gives a statement that runs another one by name (EXECUTE, FETCH)
// with that one as Inner, on a copy. An unknown name stays without: its outputs
// are then unknown. wait says that the name's meaning is not yet certain.
func (o *overlay) withInner(st *sql.Statement) (*sql.Statement, bool) {
	if st.Effects&runsOther == 0 || st.Inner != nil || !plainName(st.Name) {
		return st, false
	}
	inner, wait := o.find(st)
	if wait || inner == nil {
		return st, wait
	}
	b := *st
	b.Inner, b.Outputs = inner, inner.Outputs
	return &b, false
}

func (o *overlay) find(st *sql.Statement) (*sql.Statement, bool) {
	r := &o.conn.relay
	if st.Effects&sql.EffectExecute != 0 {
		if inner, ok := o.prepared[st.Name]; ok {
			return inner, false
		}
		s, wait := r.statements.lookup(st.Name, o.pipeline)
		if s.prepared == nil {
			return nil, wait && r.queue.len() > 0
		}
		st, later := s.prepared.current(o.conn)
		return st, later || wait && r.queue.len() > 0
	}
	if inner, ok := o.cursors[st.Name]; ok {
		return inner, false
	}
	s, wait := r.portals.lookup(st.Name, o.pipeline)
	if s.portal == nil {
		return nil, wait && r.queue.len() > 0
	}
	return s.portal.st, wait && r.queue.len() > 0
}

// apply notes what the statement does to names once it has run.
func (o *overlay) apply(st *sql.Statement) {
	switch {
	case !plainName(st.Name): // never known, see decide
	case st.Effects&sql.EffectPrepare != 0:
		o.set(spaceStatement, st.Name, st.Inner)
	case st.Effects&sql.EffectDeallocate != 0:
		o.set(spaceStatement, st.Name, nil)
	case st.Effects&sql.EffectCursor != 0:
		o.set(spacePortal, st.Name, st.Inner)
	}
}

func (o *overlay) set(sp space, name string, inner *sql.Statement) {
	if o.entry == nil {
		m := &o.prepared
		if sp == spacePortal {
			m = &o.cursors
		}
		if *m == nil {
			*m = map[string]*sql.Statement{}
		}
		(*m)[name] = inner
		return
	}
	r := &o.conn.relay
	if name == allNames && inner == nil {
		for known := range *r.space(sp) {
			if known != "" {
				r.change(o.entry, sp, known, slot{}, o.run)
			}
		}
		return
	}
	if _, known := (*r.space(sp))[name]; !known && len(*r.space(sp)) >= maxKnown {
		return // what is not known is not trusted
	}
	var s slot
	if inner != nil && sp == spaceStatement {
		s.prepared = &prepared{st: inner, text: inner.Action.Text, env: o.conn.env, bySQL: true}
	} else if inner != nil {
		s.portal = &portal{st: inner, withHold: true}
	}
	r.change(o.entry, sp, name, s, o.run)
}

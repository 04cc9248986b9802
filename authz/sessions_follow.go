package authz

import (
	"context"
	"time"
)

// followTimeout bounds a look at what others did.
const followTimeout = 5 * time.Second

// changed is the store's watch; it never blocks.
func (s *Sessions) changed(id string) {
	select {
	case s.changes <- id:
	default:
		s.missed.Store(true)
		select {
		case s.changes <- "":
		default: // follow finds missed set behind what it has to read
		}
	}
}

// follow keeps this replica's registry like everybody's.
func (s *Sessions) follow() {
	for {
		var id string
		select {
		case <-s.ctx.Done():
			return
		case id = <-s.changes:
		}
		all := id == "" || s.missed.Swap(false)
		for pause := 50 * time.Millisecond; s.ctx.Err() == nil; pause = min(2*pause, followTimeout) {
			err := s.look(id, all)
			if err == nil {
				break
			}
			if s.ctx.Err() == nil {
				s.log.Warn("what other replicas do with sessions is not seen now", "err", err)
			}
			select {
			case <-s.ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// look reads one session again, or all.
func (s *Sessions) look(id string, all bool) error {
	ctx, cancel := context.WithTimeout(s.ctx, followTimeout)
	defer cancel()
	if !all {
		one, there, err := s.store.one(ctx, id)
		if err == nil && there {
			s.adopt(ctx, one)
		} else if err == nil {
			s.forget(id)
		}
		return err
	}
	before := s.List() // what is added meanwhile is not missing
	now, err := s.store.all(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, one := range now {
		there[one.live.Session.ID] = true
		s.adopt(ctx, one)
	}
	for _, l := range before {
		if !there[l.Session.ID] {
			s.forget(l.Session.ID)
		}
	}
	return nil
}

// find looks for a session that another replica has just opened.
func (s *Sessions) find(id string) {
	if !s.store.shared() || s.listed(id) {
		return
	}
	if err := s.look(id, false); err != nil && s.ctx.Err() == nil {
		s.log.Warn("a session cannot be looked up", "session", id, "err", err)
	}
}

package authz

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"dragoman.dev/dragoman/internal/identity"
)

// End ends one session for a reason of the caller's; it is an error when there is none.
func (s *Sessions) End(id, reason string) error {
	s.find(id)
	if !s.listed(id) {
		return errors.New("authz: no live session " + id)
	}
	ctx, cancel := context.WithTimeout(s.ctx, followTimeout)
	defer cancel()
	err := s.store.end(ctx, id, reason)                        // before it is ended here: its gateway may be another replica's
	if !s.end(id, reason) && err == nil && !s.store.shared() { // another replica may have been quicker
		return errors.New("authz: no live session " + id)
	}
	return err
}

func (s *Sessions) revoked(r identity.Revocation) {
	s.mu.Lock()
	var hit []string
	for id, e := range s.live {
		if r.Covers(e.proof()) {
			hit = append(hit, id)
		}
	}
	s.mu.Unlock()
	for _, id := range hit {
		s.end(id, EndRevoked)
	}
}

// end marks a session, so that it can do nothing more here, and tells its
// gateway until that has heard it.
func (s *Sessions) end(id, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live[id]
	if !ok || s.ctx.Err() != nil {
		return false
	}
	if e.ending != "" {
		return true
	}
	e.ending = reason
	e.over()
	s.wg.Go(func() { s.tell(id, reason) })
	return true
}

// tell calls the gateway with growing pauses while the session is listed.
func (s *Sessions) tell(id, reason string) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := s.call(id, reason)
		if err == nil {
			s.log.Info("a session is ended", "session", id, "reason", reason)
			s.Ended(id)
			return
		}
		if s.ctx.Err() != nil || !s.listed(id) {
			return
		}
		level := slog.LevelWarn
		if s.store.shared() && pause < time.Second { // it may be another replica's
			level = slog.LevelDebug
		}
		s.log.Log(s.ctx, level, "ending a session: the gateway has not heard it yet", "session", id, "reason", reason, "err", err)
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (s *Sessions) call(id, reason string) error {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
	defer cancel()
	return s.ender.EndSession(ctx, id, reason)
}

func (s *Sessions) listed(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[id]
	return ok
}

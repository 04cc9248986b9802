package session

import (
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/record"
)

// Waits is the hold that the session waits for, nil when none.
func (s *Session) Waits() *Held { return s.hold }

// Hold keeps an action until people decide. It records the hold and asks authz
// in a goroutine; done is called on the worker, unless the connection is gone by then,
// with nil only if exactly this action may run now. A session holds one action at a
// time. The caller tells the client about the hold that is given back.
func (s *Session) Hold(h Holding, done func(check.HoldResponse, error)) *Held {
	held := s.NewHold(h)
	s.hold = held
	s.Frame(record.KindHold, held.Action(), held.Hold)
	go func() {
		res, err := s.Runtime().Ask(held)
		s.conn.Post(func() { s.decided(held, res, err, done) })
	}()
	return held
}

// decided is the end of a hold, on the worker.
func (s *Session) decided(held *Held, res check.HoldResponse, err error, done func(check.HoldResponse, error)) {
	if s.Ended() || s.hold != held {
		return
	}
	s.hold = nil
	last, res, err := held.Outcome(s.Runtime().Now(), res, err)
	s.Frame(record.KindHold, held.Action(), last)
	s.Touched(last.Ended)
	done(res, err)
}

package session

import (
	"context"
	"time"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// Protocol is what a Session asks of the filter that it belongs to.
type Protocol interface {
	// Expired says in the protocol's words that the session must end now, by giving
	// the bytes for the client; the Session then ends it.
	Expired(reason, message string) []byte
	// Lost tells that the record failed after the batch had been accepted: nothing of the
	// batch went anywhere. It gives the last words for the client.
	Lost(err error) []byte
}

// Session is one authorised connection.
type Session struct {
	session.Core
	conn     filters.Conn
	protocol Protocol
	out      outbox
	hold     *Held
}

// Opening is a session that is being opened.
type Opening struct {
	Request  check.OpenRequest
	Mode     record.Mode
	Limits   Limits
	Protocol Protocol
	// Timeout bounds the question to authz.
	Timeout time.Duration
}

// Open asks authz and, when it agrees, begins the record; done is called on the
// worker with either a session or an error (*check.Refusal when authz says no). The
// function given back withdraws the question.
func (rt *Runtime) Open(conn filters.Conn, o Opening, done func(*Session, error)) (cancel func()) {
	ctx, cancel := context.WithTimeout(context.Background(), o.Timeout)
	go func() {
		defer cancel()
		res, err := rt.Authorize(ctx, o.Request)
		conn.Post(func() {
			if err != nil {
				done(nil, err)
				return
			}
			done(rt.begin(conn, o, res))
		})
	}()
	return cancel
}

// begin starts an opened session.
func (rt *Runtime) begin(conn filters.Conn, o Opening, res check.OpenResponse) (*Session, error) {
	c, err := rt.Start(o.Request, o.Mode, o.Limits, res)
	if err != nil {
		return nil, err
	}
	s := &Session{Core: c, conn: conn, protocol: o.Protocol}
	s.out.async = o.Mode != record.ModeWrite
	s.out.up.kind, s.out.down.kind = record.KindRequest, record.KindResponse
	rt.Add(s)
	s.arm()
	return s, nil
}

// Touch notes activity, for the idle limit.
func (s *Session) Touch() {
	if s.IdleLimit() > 0 {
		s.Touched(s.Runtime().Now())
	}
}

func (s *Session) arm() { s.ArmTimer(func() { s.conn.Post(s.tick) }) }

func (s *Session) tick() {
	if s.Ended() {
		return
	}
	if message := s.Over(s.hold != nil); message != "" {
		s.expire("expired", message)
		return
	}
	s.arm()
}

// Finish implements session.Live.
func (s *Session) Finish(reason, message string) bool {
	return s.conn.Post(func() { s.expire(reason, message) })
}

// expire ends the session from outside the protocol.
func (s *Session) expire(reason, message string) {
	if s.Ended() {
		return
	}
	if words := s.protocol.Expired(reason, message); len(words) > 0 {
		s.Respond(0, words)
	}
	s.End(reason, message)
}

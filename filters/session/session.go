package session

import (
	"context"
	"time"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
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

// Limits are times after which a session ends by itself; zero means never.
type Limits struct {
	Idle time.Duration
}

// Session is one authorised connection.
type Session struct {
	rt       *Runtime
	conn     filters.Conn
	protocol Protocol
	id       string
	opened   check.OpenResponse
	info     policy.Session
	w        *record.Writer
	actions  uint64
	bytes    int64 // delivered
	out      outbox
	timer    *time.Timer
	ends     time.Time
	idle     time.Duration
	active   time.Time
	ended    bool
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
		res, err := rt.authorize(ctx, o.Request)
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

// begin starts the record of an opened session.
func (rt *Runtime) begin(conn filters.Conn, o Opening, res check.OpenResponse) (*Session, error) {
	if res.Decision.Verdict != policy.Allow {
		return nil, &check.Refusal{Code: check.CodeForbidden, Rule: res.Decision.Rule, Message: res.Decision.Reason}
	}
	s := &Session{rt: rt, conn: conn, protocol: o.Protocol, id: res.Session, opened: res, info: o.Request.Session,
		idle: o.Limits.Idle, ends: res.Ends, active: rt.Now()}
	s.info.ID = res.Session
	if s.info.Started.IsZero() {
		s.info.Started = s.active
	}
	w, err := rt.opt.Spool.Begin(o.Mode, record.Open{Session: s.info, Target: res.Target, Identity: res.Identity,
		Node: rt.opt.Node, Decision: res.Decision})
	if err != nil {
		return nil, err
	}
	s.w = w
	s.out.async = o.Mode != record.ModeWrite
	s.out.up.kind, s.out.down.kind = record.KindRequest, record.KindResponse
	// The session counts only once its first frame is written.
	if err := w.Flush(); err != nil {
		w.Abandon()
		return nil, err
	}
	rt.live.add(s)
	s.arm()
	return s, nil
}

// ID is the session's id; Opened what authz answered; Info what policy sees of the session.
func (s *Session) ID() string { return s.id }

// Opened is what authz answered. It holds secrets.
func (s *Session) Opened() *check.OpenResponse { return &s.opened }

// Info is what policy sees of the session.
func (s *Session) Info() policy.Session { return s.info }

// Input is the policy input of the session, its Action empty.
func (s *Session) Input() policy.Input {
	return policy.Input{Version: policy.InputVersion, Identity: s.opened.Identity, Target: s.opened.Target, Session: s.info}
}

// DropCredentials forgets the target's credentials once they have been used.
func (s *Session) DropCredentials() { s.opened.Credentials = check.Credentials{} }

// Touch notes activity, for the idle limit.
func (s *Session) Touch() {
	if s.idle > 0 {
		s.active = s.rt.Now()
	}
}

// arm sets the one timer of a session to the next moment at which it may have to end.
func (s *Session) arm() {
	next := s.ends
	if s.idle > 0 {
		if at := s.active.Add(s.idle); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if next.IsZero() || s.ended {
		return
	}
	s.timer = time.AfterFunc(max(next.Sub(s.rt.Now()), time.Millisecond), func() { s.conn.Post(s.tick) })
}

func (s *Session) tick() {
	now := s.rt.Now()
	switch {
	case s.ended:
	case !s.ends.IsZero() && !now.Before(s.ends):
		s.expire("expired", "the session's time is over")
	case s.idle > 0 && s.hold == nil && now.Sub(s.active) >= s.idle:
		s.expire("expired", "the session was idle for too long")
	default:
		s.arm()
	}
}

// expire ends the session from outside the protocol.
func (s *Session) expire(reason, message string) {
	if s.ended {
		return
	}
	if words := s.protocol.Expired(reason, message); len(words) > 0 {
		s.Respond(0, words)
	}
	s.End(reason, message)
}

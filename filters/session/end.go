package session

import "github.com/envoyproxy/envoy/contrib/golang/common/go/api"

// Pause sets or clears a reason for not reading from the client.
func (s *Session) Pause(reason uint8, on bool) {
	was := s.out.paused
	if on {
		s.out.paused |= reason
	} else {
		s.out.paused &^= reason
	}
	if now := s.out.paused; (was == 0) != (now == 0) {
		s.conn.PauseReads(now != 0)
	}
}

// End ends the session in order: what is queued leaves, the record is closed,
// then the connection. It may be called more than once.
func (s *Session) End(reason, message string) {
	if s.Ended() {
		return
	}
	if s.out.async {
		s.endAsync(reason, message)
		return
	}
	if err := s.Commit(); err != nil {
		s.Runtime().Log().Error("record at end of session", "session", s.ID(), "error", err)
	}
	s.closeRecord(reason, message)
	s.conn.Close(api.FlushWrite)
}

func (s *Session) endAsync(reason, message string) {
	s.seal()
	err := s.out.err
	if err == nil {
		err = s.commitAsync(true)
	}
	s.closeRecord(reason, message)
	if err != nil || len(s.out.waiting) == 0 {
		s.conn.Close(api.FlushWrite)
	}
}

// Gone closes the record of a session whose connection is already closed.
func (s *Session) Gone(reason, message string) { s.closeRecord(reason, message) }

func (s *Session) closeRecord(reason, message string) {
	if s.Ended() {
		return
	}
	if s.hold != nil {
		s.hold.Withdraw()
	}
	s.Shut(s, reason, message)
}

package session

import (
	"context"
	"errors"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/record"
)

// ErrEnded says that the session was over before it could be used.
var ErrEnded = errors.New("the session has ended")

// Limits are times after which a session ends by itself; zero means never.
type Limits struct {
	Idle time.Duration
}

// Span is an authorised session that is not one connection: requests of one identity and
// client on several connections and workers, or the channels of a bridged connection. It is
// safe for concurrent use; a lock of its own orders what is recorded.
//
// A Span moves no bytes. Whoever has some records them with Record and passes
// them on when done is called, and only then (rule 2).
type Span struct {
	mu lock
	core
	mode  record.Mode
	users int // streams that are open, and holds that wait
	holds map[*Held]struct{}
	told  func(reason, message string)
	gone  chan struct{} // closed when the session has ended
	// forget takes the span out of the lookup.
	forget func()
}

// SpanOpening is a span that is being opened.
type SpanOpening struct {
	Request check.OpenRequest
	Mode    record.Mode
	// Limits.Idle counts from the moment at which no stream and no hold is open.
	Limits Limits
	// Timeout bounds the question to authz.
	Timeout time.Duration
	// Ended is called once when the session has ended from outside (revoked, expired, an administrator,
	// a record that cannot be kept): its streams must end. From any goroutine; nil is allowed.
	Ended func(reason, message string)
}

// OpenSpan asks authz and, when it agrees, begins the record. It blocks. The error is
// *check.Refusal when authz says no. The span has one user, who calls Release or End.
func (rt *Runtime) OpenSpan(ctx context.Context, o SpanOpening) (*Span, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	res, err := rt.authorize(ctx, o.Request)
	if err != nil {
		return nil, err
	}
	c, err := rt.start(o.Request, o.Mode, o.Limits, res)
	if err != nil {
		return nil, err
	}
	s := &Span{core: c, mode: o.Mode, users: 1, holds: map[*Held]struct{}{}, told: o.Ended, gone: make(chan struct{})}
	rt.live.add(s)
	s.mu.Lock()
	s.arm(s.tick)
	s.mu.Unlock()
	return s, nil
}

// Done is closed when the session has ended.
func (s *Span) Done() <-chan struct{} { return s.gone }

// Acquire notes one more user; false when the session is over.
func (s *Span) Acquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.users++
	return true
}

// Release is the end of OpenSpan's, Runtime.Span's or Acquire's use.
func (s *Span) Release() {
	s.mu.Lock()
	s.users--
	s.active = s.rt.Now()
	s.mu.Unlock()
}

func (s *Span) tick() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	message := s.over(s.users > 0)
	if message == "" {
		s.arm(s.tick)
	}
	s.mu.Unlock()
	if message != "" {
		s.Finish("expired", message)
	}
}

// End ends the session in order. Holds are withdrawn. It may be called more than once.
func (s *Span) End(reason, message string) { s.close(reason, message) }

// close reports whether this call has ended the session.
func (s *Span) close(reason, message string) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	for h := range s.holds {
		h.Withdraw()
	}
	s.shut(s, reason, message)
	forget := s.forget
	s.mu.Unlock()
	close(s.gone)
	if forget != nil {
		forget()
	}
	return true
}

// whenOver sets what takes the span out of the lookup, at once when it is over already.
func (s *Span) whenOver(forget func()) {
	s.mu.Lock()
	ended := s.ended
	s.forget = forget
	s.mu.Unlock()
	if ended {
		forget()
	}
}

// Finish implements Live.
func (s *Span) Finish(reason, message string) bool {
	if !s.close(reason, message) {
		return false
	}
	if s.told != nil {
		s.told(reason, message)
	}
	return true
}

// Batch is frames that become safe together.
type Batch struct {
	s   *Span
	err error
}

// Action adds an action with its decision and gives its ordinal. The payload is the
// JSON of record.ActionPayload in parts.
func (b *Batch) Action(payload ...[]byte) uint64 {
	b.s.actions++
	b.note(b.s.w.Append(record.KindAction, b.s.actions, payload...))
	return b.s.actions
}

// Frame adds any JSON payload.
func (b *Batch) Frame(kind record.Kind, action uint64, v any) {
	b.note(b.s.w.AppendJSON(kind, action, v))
}

// Request adds bytes for the target, Response bytes for the client, the parts one after the other; they are copied.
func (b *Batch) Request(action uint64, p ...[]byte) {
	if total(p) > 0 {
		b.note(b.s.w.Append(record.KindRequest, action, p...))
	}
}

func total(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// Response adds bytes as they will be delivered.
func (b *Batch) Response(action uint64, p ...[]byte) {
	if n := total(p); n > 0 {
		b.s.bytes += int64(n)
		b.note(b.s.w.Append(record.KindResponse, action, p...))
	}
}

// Result adds how an action ended.
func (b *Batch) Result(action uint64, r record.Result) {
	b.note(b.s.w.AppendResult(action, &r))
}

func (b *Batch) note(err error) {
	if err != nil && b.err == nil {
		b.err = err
	}
}

// Record keeps the frames that make adds and calls done once they are as safe as
// the target's durability says: before it returns in ModeWrite, later and from another
// goroutine in ModeFsync. With an error nothing of it may move, and what it
// stood for must be refused; the session can go on unless it has ended (ErrClosed).
// make runs under the span's lock: it may only use the Batch. The calls of done come in order.
func (s *Span) Record(make func(*Batch), done func(error)) {
	err, later := s.record(make, done)
	if !later {
		done(err)
	}
}

// Commit is Record for those who can wait.
func (s *Span) Commit(make func(*Batch)) error {
	safe := newSignal()
	s.Record(make, safe.set)
	return safe.wait()
}

func (s *Span) record(make func(*Batch), done func(error)) (err error, later bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return record.ErrClosed, false
	}
	b := Batch{s: s}
	make(&b)
	ferr := s.w.Flush()
	if b.err != nil {
		return b.err, false
	}
	if ferr != nil || s.mode == record.ModeWrite {
		return ferr, false
	}
	// The flush has made a segment, so done is called by the syncer, never within Commit.
	s.w.Commit(func(err error) {
		if err != nil {
			s.rt.opt.Log.Error("record lost", "session", s.id, "error", err)
			s.Finish("fault", err.Error())
		}
		done(err)
	})
	return nil, true
}

// Hold keeps an action until people decide, and calls done from a goroutine of its own: nil and
// hold.Used only if exactly this action may run now. The hold's frames are recorded before it is
// asked for and before done is called. The error says that the hold could not be recorded: nothing was asked.
func (s *Span) Hold(h Holding, done func(check.HoldResponse, error)) (*Held, error) {
	s.mu.Lock()
	held := s.newHold(h)
	s.mu.Unlock()
	if err := s.Commit(func(b *Batch) { b.Frame(record.KindHold, held.action, held.Hold) }); err != nil {
		held.cancel()
		return nil, err
	}
	s.mu.Lock()
	s.holds[held] = struct{}{}
	s.users++
	ended := s.ended
	s.mu.Unlock()
	if ended {
		held.Withdraw()
	}
	go s.wait(held, done)
	return held, nil
}

func (s *Span) wait(held *Held, done func(check.HoldResponse, error)) {
	res, err := s.rt.ask(held)
	last, res, err := held.outcome(s.rt.Now(), res, err)
	rerr := s.Commit(func(b *Batch) { b.Frame(record.KindHold, held.action, last) })
	if err == nil {
		err = rerr
	}
	if rerr != nil {
		res = check.HoldResponse{}
	}
	s.mu.Lock()
	delete(s.holds, held)
	s.users--
	s.active = s.rt.Now()
	s.mu.Unlock()
	done(res, err)
}

// signal is an error that somebody waits for.
type signal struct {
	c chan error
}

func newSignal() signal { return signal{make(chan error, 1)} }

func (s signal) set(err error) { s.c <- err }
func (s signal) wait() error   { return <-s.c }

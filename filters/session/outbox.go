package session

import (
	"slices"
	"sync"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/internal/record"
)

// maxUnsafe is how many bytes may wait for the disk before the client is no longer read.
const maxUnsafe = 1 << 20

// outbox keeps what may leave only after its frames are safe. A batch is what
// one callback of the filter made; batches leave in order.
type outbox struct {
	async   bool // durability needs the disk
	up      stream
	down    stream
	results []result // recorded after the batch's bytes
	err     error    // an Append of this batch failed
	waiting []batch
	bytes   int // in waiting
	paused  uint8
}

// stream is one direction's part of the batch. Bytes of one action that lie
// side by side become one frame.
type stream struct {
	batchBytes
	kind   record.Kind
	action uint64
	framed int // bytes that have their frame
}

type result struct {
	action uint64
	record.Result
}

// batch is a committed callback's output, owned.
type batch struct {
	up, down []byte
	end      bool // the connection ends after it
}

// batchBytes gathers output. As long as what is added lies side by side in a
// borrowed buffer (a message run that passes unchanged), nothing is copied.
type batchBytes struct {
	borrowed []byte
	own      *[]byte
}

var pool = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

const keepPooled = 256 << 10

func (b *batchBytes) add(p []byte) {
	if len(p) == 0 {
		return
	}
	if b.own == nil {
		n := len(b.borrowed)
		if n == 0 {
			b.borrowed = p
			return
		}
		if cap(b.borrowed) >= n+len(p) {
			if longer := b.borrowed[:n+len(p)]; &longer[n] == &p[0] {
				b.borrowed = longer
				return
			}
		}
		b.own = pool.Get().(*[]byte)
		*b.own = append((*b.own)[:0], b.borrowed...)
		b.borrowed = nil
	}
	*b.own = append(*b.own, p...)
}

func (b *batchBytes) bytes() []byte {
	if b.own != nil {
		return *b.own
	}
	return b.borrowed
}

func (b *batchBytes) reset() {
	b.borrowed = nil
	if b.own != nil {
		if cap(*b.own) <= keepPooled {
			pool.Put(b.own)
		}
		b.own = nil
	}
}

// Action records an action with its decision, before anything of it is
// forwarded, and gives its ordinal. The payload is the JSON of
// record.ActionPayload in parts.
func (s *Session) Action(payload ...[]byte) uint64 {
	n := s.NextAction()
	s.note(s.Writer().Append(record.KindAction, n, payload...))
	return n
}

// Frame records any JSON payload.
func (s *Session) Frame(kind record.Kind, action uint64, v any) {
	s.note(s.Writer().AppendJSON(kind, action, v))
}

// Request queues bytes for the target and records them before they leave.
//
// The bytes must stay unchanged until Commit returns; so must Respond's.
func (s *Session) Request(action uint64, b []byte) { s.send(&s.out.up, action, b) }

// Respond queues bytes for the client and records them before they leave.
func (s *Session) Respond(action uint64, b []byte) {
	s.Delivered(len(b))
	s.send(&s.out.down, action, b)
}

func (s *Session) send(st *stream, action uint64, b []byte) {
	if action != st.action {
		s.frame(st)
		st.action = action
	}
	st.add(b)
}

// frame records what the stream has that is not recorded yet.
func (s *Session) frame(st *stream) {
	if b := st.bytes()[st.framed:]; len(b) > 0 {
		s.note(s.Writer().Append(st.kind, st.action, b))
		st.framed += len(b)
	}
}

// Result records how an action ended, after the bytes of the batch.
func (s *Session) Result(action uint64, r record.Result) {
	s.out.results = append(s.out.results, result{action, r})
}

// Unrecorded queues bytes for the target that are the gateway's own housekeeping
// (catalog reads); they belong to no action and hold nothing of the client's.
func (s *Session) Unrecorded(b []byte) {
	st := &s.out.up
	s.frame(st)
	st.add(b)
	st.framed += len(b)
}

// seal records everything of the batch.
func (s *Session) seal() {
	s.frame(&s.out.up)
	s.frame(&s.out.down)
	for i := range s.out.results {
		s.note(s.Writer().AppendResult(s.out.results[i].action, &s.out.results[i].Result))
	}
	s.out.results = s.out.results[:0]
}

func (s *Session) note(err error) {
	if err != nil && s.out.err == nil {
		s.out.err = err
	}
}

// Commit ends the batch: once its frames are safe, its bytes leave. An
// error means that nothing of the batch was or will be sent, and that
// the caller has to refuse it; the session can go on.
func (s *Session) Commit() error {
	o := &s.out
	if s.Ended() {
		o.clear()
		return nil
	}
	s.seal()
	if o.err == nil && o.async {
		return s.commitAsync(false)
	}
	err := o.err
	if ferr := s.Writer().Flush(); err == nil {
		err = ferr
	}
	if err == nil {
		if b := o.up.bytes(); len(b) > 0 {
			s.conn.Upstream().Write(b, false)
		}
		if b := o.down.bytes(); len(b) > 0 {
			s.conn.Write(b, false)
		}
	}
	o.clear()
	return err
}

func (o *outbox) clear() {
	for _, st := range [...]*stream{&o.up, &o.down} {
		st.reset()
		st.framed, st.action = 0, 0
	}
	o.results, o.err = o.results[:0], nil
}

// commitAsync queues the batch until the disk has its frames.
func (s *Session) commitAsync(end bool) error {
	o := &s.out
	b := batch{up: slices.Clone(o.up.bytes()), down: slices.Clone(o.down.bytes()), end: end}
	o.clear()
	if len(b.up)+len(b.down) == 0 && !end {
		return s.Writer().Flush()
	}
	if err := s.Writer().Flush(); err != nil {
		return err
	}
	o.waiting = append(o.waiting, b)
	o.bytes += len(b.up) + len(b.down)
	// Flushed already, so done comes from another goroutine (or, with nothing
	// to sync, at once): either way the batch leaves by Post, in order.
	s.Writer().Commit(func(err error) { s.conn.Post(func() { s.release(err) }) })
	s.Pause(PauseDisk, o.bytes > maxUnsafe)
	return nil
}

// release sends the oldest waiting batch.
func (s *Session) release(err error) {
	o := &s.out
	if len(o.waiting) == 0 {
		return
	}
	b := o.waiting[0]
	o.waiting = o.waiting[1:]
	o.bytes -= len(b.up) + len(b.down)
	if err != nil {
		s.fail(err)
		return
	}
	if len(b.up) > 0 {
		s.conn.Upstream().Write(b.up, false)
	}
	if len(b.down) > 0 {
		s.conn.Write(b.down, false)
	}
	if b.end {
		s.conn.Close(api.FlushWrite)
		return
	}
	s.Pause(PauseDisk, o.bytes > maxUnsafe)
}

// fail ends a session whose accepted frames could not be kept.
func (s *Session) fail(err error) {
	if words := s.protocol.Lost(err); len(words) > 0 {
		s.conn.Write(words, false)
	}
	s.Runtime().Log().Error("record lost", "session", s.ID(), "error", err)
	s.closeRecord("fault", err.Error())
	s.conn.Close(api.FlushWrite)
}

// Reasons for not reading from the client; it is read when none holds.
const (
	PauseDisk  uint8 = 1 << iota // too much waits for the disk
	PauseInput                   // too much client input waits to be judged
)

package http

import (
	"sync"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
)

// phase is where a request stands. It only ever goes forward, but for a session that is opened anew.
type phase uint8

const (
	atHead    phase = iota
	opening         // authz is asked
	gathering       // the body is awaited, because it is judged or held
	holding         // people are asked
	recording       // what is to be passed on becomes safe
	passing         // the request goes on to the target
	refused         // we have answered, or are about to
)

// stream is one request and its response. All methods run on its worker.
type stream struct {
	api.PassThroughStreamFilter
	t       *target
	cfg     *config
	host    filters.HTTPStream
	started time.Time
	phase   phase
	hook    bool // a callback of the request's side runs: what may pass is told by its return value
	pass    bool // it may pass

	// the request
	head     api.RequestHeaderMap
	fields   header.List
	proof    proof
	arrival  arrival
	client   string // address, host:port
	tries    int
	req      *request.Request
	kept     []byte // of the body, before it may pass
	trailers api.RequestTrailerMap
	ended    bool // the request's end came
	wantBody bool
	up       bodyLog
	upWaits  int // records that are not safe yet
	upEnd    bool

	// the verdict
	sh       *shared
	action   action.Action
	shown    action.Action // with the body's fields, for those who decide
	d        policy.Decision
	plan     *mask.Plan
	worded   []byte // action and decision as they are recorded
	ordinal  uint64
	trace    traced
	held     *session.Held
	rpc      *rpc               // of an MCP endpoint
	named    named              // in MCP's header fields
	unsealed header.List        // the fields with the target's own entity tags; nil where none were sealed
	call     *kube.Call         // of a Kubernetes API server
	recoded  bool               // the body becomes another: Envoy keeps none of it until it is whole
	piece    api.BufferInstance // of such a body, while its callback runs

	// the response
	answered  bool   // its head is on its way to the client
	waiting   []byte // a head that waits for the body's first piece, as it is recorded
	code      int
	down      bodyLog
	downWaits int
	masker    masker
	masked    int64
	upgraded  bool
	finished  bool // the action's result is recorded
}

// masker masks a response's body, or what it stands in for.
type masker interface {
	Write(dst, piece []byte) ([]byte, error)
	Close(dst []byte) ([]byte, error)
	Masked() int
}

// arrival is a session on its way to the stream, which may be gone when it comes.
type arrival struct {
	mu        sync.Mutex
	returned  bool // Runtime.Span has returned
	span      *session.Span
	err       error
	here      bool
	abandoned bool
}

// DecodeHeaders implements api.StreamFilter.
func (s *stream) DecodeHeaders(h api.RequestHeaderMap, end bool) api.StatusType {
	s.head, s.ended = h, end
	s.fields, s.client = listOf(h), s.host.ClientAddr()
	s.recoded = s.recodes()
	return s.run(s.begin, api.HeaderStopIteration)
}

// run does f within a callback of the request's side.
func (s *stream) run(f func(), stop api.StatusType) api.StatusType {
	s.hook, s.pass = true, false
	f()
	s.hook = false
	if s.pass {
		return api.Continue
	}
	return stop
}

// goOn passes on what was kept.
func (s *stream) goOn() {
	s.phase = passing
	s.kept = nil
	if s.hook {
		s.pass = true
		return
	}
	s.host.DecoderFilterCallbacks().Continue(api.Continue)
}

// DecodeData implements api.StreamFilter.
func (s *stream) DecodeData(b api.BufferInstance, end bool) api.StatusType {
	s.ended = s.ended || end
	switch s.phase {
	case refused:
		return api.DataStopIterationNoBuffer
	case passing:
		return s.run(func() { s.sendPiece(b.Bytes()) }, api.DataStopIterationAndWatermark)
	}
	s.kept = append(s.kept, b.Bytes()...)
	s.drain(b)
	defer func() { s.piece = nil }()
	return s.run(s.gathered, api.DataStopIterationAndWatermark)
}

// DecodeTrailers implements api.StreamFilter.
func (s *stream) DecodeTrailers(t api.RequestTrailerMap) api.StatusType {
	s.dropNames(t)
	s.ended, s.trailers = true, t
	switch s.phase {
	case refused:
		return api.TrailerStopIteration
	case passing:
		return s.run(s.sendTrailers, api.TrailerStopIteration)
	}
	return s.run(s.gathered, api.TrailerStopIteration)
}

// begin identifies the sender and asks for its session.
func (s *stream) begin() {
	p, no := s.identify(s.fields)
	if no != nil {
		s.refuse(no)
		return
	}
	s.proof, s.phase = p, opening
	a := &s.arrival
	a.returned, a.here, a.span, a.err = false, false, nil, nil
	s.t.rt.Span(s.key(p), s.opening(p, s.fields), func(span *session.Span, err error) { s.arrived(span, err) })
	a.mu.Lock()
	a.returned = true
	here := a.here
	a.mu.Unlock()
	if here {
		s.take()
	}
}

// arrived is called by anyone, once for each begin.
func (s *stream) arrived(span *session.Span, err error) {
	a := &s.arrival
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.abandoned {
		if span != nil {
			span.Release()
		}
		return
	}
	a.span, a.err, a.here = span, err, true
	if a.returned {
		s.host.Post(s.take) // if it is gone, abandon follows
	}
}

// take is the session's arrival, on the worker.
func (s *stream) take() {
	a := &s.arrival
	a.mu.Lock()
	span, err := a.span, a.err
	a.span, a.err = nil, nil
	a.mu.Unlock()
	if s.phase != opening {
		if span != nil {
			span.Release()
		}
		return
	}
	if err != nil {
		s.refuse(refusedSession(err))
		return
	}
	s.opened(span)
}

// abandon gives up a session that is still on its way.
func (s *stream) abandon() {
	a := &s.arrival
	a.mu.Lock()
	defer a.mu.Unlock()
	a.abandoned = true
	if a.span != nil {
		a.span.Release()
		a.span = nil
	}
}

// maxTries is how many sessions are opened for one request, when each one ends at once.
const maxTries = 3

// opened takes the session, or another one when this one cannot be used any more.
func (s *stream) opened(span *session.Span) {
	stale := false
	if at := span.Opened().Credentials.Expires; !at.IsZero() && !s.t.rt.Now().Before(at) {
		// What it sends the target is not good any more; who has a stream in it goes on.
		stale = true
		g := s.t.generation.Load()
		s.t.generation.CompareAndSwap(g, g+1)
	}
	if !stale {
		if sh := s.t.share(span); sh.join(s) {
			s.sh = sh
			s.beginTrace()
			s.understand()
			return
		}
	}
	span.Release()
	if s.tries++; s.tries >= maxTries {
		s.refuse(&problem{Status: 503, Code: "unavailable", Detail: "The session ended while it was opened.", retry: 1})
		return
	}
	s.begin()
}

// OnDestroy implements api.StreamFilter.
func (s *stream) OnDestroy(api.DestroyReason) {
	s.abandon()
	for _, m := range []masker{s.masker, s.up.through} {
		if a, ok := m.(interface{ Abort() }); ok {
			a.Abort()
		}
	}
	if s.held != nil {
		s.held.Withdraw()
	}
	if s.sh == nil {
		return
	}
	if s.upgraded {
		s.finish("ok", "")
	}
	s.finish("lost", "the exchange was cut off")
	s.sh.leave(s)
}

// sessionOver ends the stream because its session has ended.
func (s *stream) sessionOver() {
	switch {
	case s.phase == refused || s.finished && !s.upgraded:
	case s.answered:
		s.host.Reset("dragoman_session_ended")
	default:
		s.answer(&problem{Status: 401, Code: "session_ended",
			Detail: "The session has ended: its credential expired or was revoked, or an administrator ended it."})
	}
}

// listOf copies the fields that are not pseudo headers.
func listOf(h api.HeaderMap) header.List {
	list := make(header.List, 0, 16)
	h.Range(func(k, v string) bool {
		if k != "" && k[0] != ':' {
			list = append(list, header.Field{Name: k, Value: v})
		}
		return true
	})
	return list
}

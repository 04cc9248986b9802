package main

// #include "http.h"
// #cgo noescape dgm_http_reply
// #cgo noescape dgm_http_head
// #cgo noescape dgm_http_reset
import "C"

import (
	"net/http"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// stream is one HTTP stream and its filter. All fields but posts belong to the stream's worker.
type stream struct {
	cfg       *httpConfig
	envoy     C.dgm_envoy
	scheduler C.dgm_envoy
	filter    api.StreamFilter
	headers   [4]headerMap // by DGM_REQUEST_HEADERS …

	depth     int // callbacks of ours that are running, one inside the other
	replied   bool
	answered  bool // a response head came
	complete  bool // the response's end came
	dead      bool // panicked: the filter is not called any more, but for OnDestroy
	gone      bool // Envoy has let go of it: no call into Envoy
	told      bool // OnDestroy was called
	posts     postQueue
	decoding  side
	encoding  side
	streamTLS *filters.TLS
}

func newStream(cfg *httpConfig, envoy C.dgm_envoy) *stream {
	s := &stream{cfg: cfg, envoy: envoy, scheduler: C.dgm_http_scheduler_new(envoy)}
	s.decoding, s.encoding = side{s, false}, side{s, true}
	s.posts.wake = func() { C.dgm_http_scheduler_commit(s.scheduler) }
	return s
}

// over says that nothing more is to be given to the filter.
func (s *stream) over() bool { return s.dead || s.gone }

// enter and leave enclose every call of the filter.
func (s *stream) enter() { s.depth++ }

// leave is to be deferred directly, since it recovers. status is set to what stops, when the
// filter has panicked or has answered itself.
func (s *stream) leave(where string, status *C.int) {
	if r := recover(); r != nil {
		s.panicked(where, r)
	}
	if (s.replied || s.dead) && status != nil && *status == 0 {
		*status = headersStop // dataStopBuffer for data: nothing comes of it
	}
	s.depth--
	s.tell()
}

// tell calls OnDestroy when Envoy has let go of the stream and no method of the filter runs.
func (s *stream) tell() {
	if !s.gone || s.told || s.depth > 0 || s.filter == nil {
		return
	}
	s.told = true
	defer caught("OnDestroy", nil)
	if !s.dead {
		s.filter.OnStreamComplete()
		s.filter.OnLog(requestHeaders{&s.headers[C.DGM_REQUEST_HEADERS]}, &s.headers[C.DGM_REQUEST_TRAILERS],
			responseHeaders{&s.headers[C.DGM_RESPONSE_HEADERS]}, &s.headers[C.DGM_RESPONSE_TRAILERS])
	}
	reason := api.Terminate
	if s.complete || s.replied {
		reason = api.Normal
	}
	s.filter.OnDestroy(reason)
}

func (s *stream) panicked(where string, r any) {
	logPanic(where, r)
	s.dead = true
	if s.gone {
		return
	}
	if s.cfg.counts {
		C.dgm_http_count(s.envoy, s.cfg.panics)
	}
	if s.answered || s.replied {
		s.reset("dragoman_panic")
		return
	}
	s.reply(http.StatusInternalServerError, "", nil, "dragoman_panic")
}

func (s *stream) destroy() {
	s.gone = true
	s.posts.close()
	C.dgm_http_scheduler_delete(s.scheduler)
	s.tell()
}

// Post implements filters.HTTPStream.
func (s *stream) Post(f func()) bool { return s.posts.add(f) }

func (s *stream) runOne(f func()) {
	if s.over() {
		return
	}
	s.enter()
	defer s.leave("Post", nil)
	f()
}

// headerList is headers as the C side takes them.
type headerList struct {
	text    []byte
	lengths []C.size_t
}

func (l *headerList) add(key, value string) {
	l.text = append(append(l.text, key...), value...)
	l.lengths = append(l.lengths, C.size_t(len(key)), C.size_t(len(value)))
}

func (l *headerList) pointers() (*C.char, *C.size_t, C.size_t) {
	n := C.size_t(len(l.lengths) / 2)
	if n == 0 {
		return nil, nil, 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(l.text))), &l.lengths[0], n
}

func (s *stream) reply(code int, bodyText string, headers map[string][]string, details string) {
	if s.gone || s.replied {
		return
	}
	s.replied = true
	var l headerList
	for k, values := range headers {
		for _, v := range values {
			l.add(k, v)
		}
	}
	text, lengths, n := l.pointers()
	b, d := []byte(bodyText), []byte(details)
	C.dgm_http_reply(s.envoy, C.uint32_t(code), text, lengths, n, unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)),
		unsafe.Pointer(unsafe.SliceData(d)), C.size_t(len(d)))
}

// Headers implements filters.HTTPStream.
func (s *stream) Headers(headers [][2]string) {
	if s.gone || s.replied {
		return
	}
	if s.answered {
		s.reset("dragoman_reply")
		return
	}
	s.replied = true
	var l headerList
	for _, h := range headers {
		l.add(h[0], h[1])
	}
	text, lengths, n := l.pointers()
	C.dgm_http_head(s.envoy, text, lengths, n, true)
}

// Reset implements filters.HTTPStream.
func (s *stream) Reset(details string) { s.reset(details) }

func (s *stream) reset(details string) {
	if s.gone {
		return
	}
	s.dead = true
	d := []byte(details)
	C.dgm_http_reset(s.envoy, unsafe.Pointer(unsafe.SliceData(d)), C.size_t(len(d)))
}

// BufferLimit implements filters.HTTPStream.
func (s *stream) BufferLimit(n uint64) {
	if !s.gone {
		C.dgm_http_buffer_limit(s.envoy, C.uint64_t(n))
	}
}

// side is the callbacks of one direction.
type side struct {
	s        *stream
	response bool
}

// Continue passes on what was kept. Within a callback it does nothing: return a status instead.
func (d *side) Continue(api.StatusType) {
	if d.s.gone || d.s.replied || d.s.dead {
		return
	}
	C.dgm_http_continue(d.s.envoy, C.bool(d.response))
}

// SendLocalReply answers in the target's place. grpcStatus is not used: see filters.HTTPStream.Headers.
func (d *side) SendLocalReply(code int, bodyText string, headers map[string][]string, _ int64, details string) {
	d.s.reply(code, bodyText, headers, details)
}

// RecoverPanic is for goroutines of a filter; on the worker the host recovers.
func (d *side) RecoverPanic() {
	if r := recover(); r != nil {
		d.s.Post(func() { panic(r) })
	}
}

// AddData adds to the body that is kept.
func (d *side) AddData(data []byte, _ bool) {
	kind := C.int(C.DGM_REQUEST_BUFFERED)
	if d.response {
		kind = C.DGM_RESPONSE_BUFFERED
	}
	if !d.s.gone && len(data) > 0 {
		C.dgm_http_replace(d.s.envoy, kind, 0, unsafe.Pointer(&data[0]), C.size_t(len(data)))
	}
}

// InjectData is not to be had on this host; a filter that calls it is broken.
func (d *side) InjectData([]byte) { panic("InjectData: this Envoy has none") }

// SetUpstreamOverrideHost implements api.DecoderFilterCallbacks.
func (d *side) SetUpstreamOverrideHost(host string, strict bool) error {
	h := []byte(host)
	if d.s.gone || len(h) == 0 || !bool(C.dgm_http_override_host(d.s.envoy, unsafe.Pointer(&h[0]), C.size_t(len(h)), C.bool(strict))) {
		return api.ErrInvalidIPAddress
	}
	return nil
}

// DecoderFilterCallbacks implements api.FilterCallbackHandler.
func (s *stream) DecoderFilterCallbacks() api.DecoderFilterCallbacks { return &s.decoding }

// EncoderFilterCallbacks implements api.FilterCallbackHandler.
func (s *stream) EncoderFilterCallbacks() api.EncoderFilterCallbacks { return &s.encoding }

// ClearRouteCache implements api.StreamFilterCallbacks.
func (s *stream) ClearRouteCache() {
	if !s.gone {
		C.dgm_http_clear_route(s.envoy)
	}
}

// RefreshRouteCache is ClearRouteCache: Envoy looks the route up when it is needed.
func (s *stream) RefreshRouteCache() { s.ClearRouteCache() }

// Log implements api.StreamFilterCallbacks.
func (s *stream) Log(level api.LogType, msg string) { envoyLogLine(int(level), []byte(msg)) }

// LogLevel implements api.StreamFilterCallbacks.
func (s *stream) LogLevel() api.LogType {
	for l := api.Trace; l < api.Critical; l++ {
		if bool(C.dgm_log_enabled(C.int(l))) {
			return l
		}
	}
	return api.Critical
}

// SecretManager is not to be had on this host; secrets come at a session's opening.
func (s *stream) SecretManager() api.SecretManager { return nil }

package http

import (
	"errors"
	nethttp "net/http"
	"strconv"
	"strings"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/websocket"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// EncodeHeaders implements api.StreamFilter: the target's head, or one that Envoy itself has made.
func (s *stream) EncodeHeaders(h api.ResponseHeaderMap, end bool) api.StatusType {
	if s.phase == refused || s.ordinal == 0 { // Envoy's own answer to what did not pass
		return api.Continue
	}
	s.code, _ = h.Status()
	s.upgraded = s.req.Upgrade != "" && (s.code == nethttp.StatusSwitchingProtocols || s.code == nethttp.StatusOK)
	list := s.giveNames(h, listOf(h))
	masked, err := s.maskHead(list)
	if err != nil {
		s.blockResponse(err)
		return api.LocalReply
	}
	if s.masker != nil {
		replace(h, list, masked)
	}
	down := s.down.begin(end, true, masked.Get("content-length"))
	if !end && !s.upgraded {
		s.recordAnswer(masked)
	}
	if !end && s.canWait(masked) {
		s.waiting = s.responseHead(masked)
		return api.HeaderStopIteration
	}
	s.answered = true
	status := api.HeaderContinue
	head := s.responseHead(masked)
	s.keep(&s.downWaits, func(b *session.Batch) {
		b.Response(s.ordinal, head)
		if end {
			down.end(b.Response, s.ordinal)
			s.close(b)
		}
	}, s.deliver(&status))
	if s.downWaits > 0 {
		return api.HeaderStopIteration
	}
	return status
}

// canWait reports whether the head waits for the body's first piece: then a body that cannot be masked is answered with
// a problem, and both are recorded at once. Where the body may be long in coming, its head does not wait.
func (s *stream) canWait(list header.List) bool {
	if s.upgraded || strings.HasPrefix(list.Get("content-type"), "text/event-stream") || strings.HasPrefix(list.Get("content-type"), "application/grpc") {
		return false
	}
	if s.call != nil && (s.call.Verb == "watch" || s.call.Subresource == "log") { // events and lines come when there are any
		return false
	}
	return s.masker != nil || list.Get("content-length") != ""
}

// addHead adds a head that has waited.
func (s *stream) addHead(b *session.Batch) {
	if s.waiting != nil {
		b.Response(s.ordinal, s.waiting)
		s.waiting, s.answered = nil, true
	}
}

// deliver is what happens when what was recorded is safe: on the spot in a callback, or later.
func (s *stream) deliver(status *api.StatusType) func(error) {
	within := s.cfg.mode == record.ModeWrite
	return func(err error) {
		switch {
		case err != nil:
			s.lostResponse(err)
			*status = api.StopNoBuffer
		case within:
		case s.downWaits == 0:
			s.host.EncoderFilterCallbacks().Continue(api.Continue)
		}
	}
}

// lostResponse ends a response that cannot be recorded any further.
func (s *stream) lostResponse(err error) {
	if s.phase == refused {
		return
	}
	s.phase = refused
	s.t.rt.Log().Error("a response cannot be recorded", "session", s.sh.span.ID(), "error", err)
	s.host.Reset("dragoman_not_recorded")
}

// close adds the action's result, with the response's last bytes.
func (s *stream) close(b *session.Batch) {
	if s.finished {
		return
	}
	s.finished = true
	status := "ok"
	if s.code >= 400 {
		status = "error"
	}
	r := s.result(status, "")
	b.Result(s.ordinal, r)
	s.closeOthers(b, r)
}

// maskHead masks the head, and prepares for the body.
func (s *stream) maskHead(list header.List) (header.List, error) {
	if s.rpc == nil && (s.plan == nil || !s.plan.Content()) {
		return list, nil
	}
	out, n := header.Mask(s.plan, list)
	out = s.sealTags(out, list)
	s.masked += int64(n)
	if s.upgraded {
		if s.req.Upgrade != "websocket" || list.Count("sec-websocket-extensions") > 0 {
			return nil, errors.New("an upgraded connection that cannot be masked")
		}
		s.masker = websocket.NewMasker(s.plan, 0, nil)
		return out, nil
	}
	m, err := s.maskerOf(content.Head{Method: s.req.Method, Status: s.code, Type: list.Joined("content-type"),
		Encoding: list.Joined("content-encoding"), GRPCEncoding: list.Joined("grpc-encoding")})
	if err != nil {
		return nil, err
	}
	s.masker = m
	if m.Changes() || s.req.Method == "HEAD" || s.code == nethttp.StatusNotModified {
		out = header.Response(out)
	}
	return out, nil
}

// changing is a masker that says whether it may change anything.
type changing interface {
	masker
	Changes() bool
}

func (s *stream) maskerOf(h content.Head) (changing, error) {
	if s.rpc != nil {
		return s.rpc.reply(s, h)
	}
	plan, err := s.responsePlan()
	if err != nil {
		return nil, err
	}
	return content.New(h, plan, content.Limits{})
}

// blockResponse answers in place of a response that cannot be masked.
func (s *stream) blockResponse(err error) {
	s.t.rt.Log().Warn("a response is blocked: it cannot be masked", "session", s.sh.span.ID(), "action", s.ordinal, "error", err)
	s.answer(&problem{Status: 502, Code: "undecodable", Rule: s.d.Rule, status: "blocked",
		Detail: "The response cannot be masked as policy asks, so it is not shown.", Hint: "Ask for JSON or text without a content coding."})
}

// EncodeData implements api.StreamFilter.
func (s *stream) EncodeData(b api.BufferInstance, end bool) api.StatusType {
	if s.phase == refused || s.ordinal == 0 {
		return api.Continue
	}
	out, err := s.maskPiece(b, end)
	if err != nil {
		s.cutOff(err)
		return api.DataStopIterationNoBuffer
	}
	status := api.Continue
	if len(out) == 0 && !end {
		if s.waiting != nil {
			return api.DataStopIterationNoBuffer
		}
		return s.orWait(status)
	}
	s.keep(&s.downWaits, func(batch *session.Batch) {
		s.addHead(batch)
		s.down.add(batch.Response, s.ordinal, out)
		if end {
			s.down.end(batch.Response, s.ordinal)
			s.close(batch)
		}
	}, s.deliver(&status))
	return s.orWait(status)
}

// orWait stops as long as something before is not safe.
func (s *stream) orWait(status api.StatusType) api.StatusType {
	if s.downWaits > 0 {
		return api.DataStopIterationAndWatermark
	}
	return status
}

// maskPiece masks a piece of the body in place.
func (s *stream) maskPiece(b api.BufferInstance, end bool) ([]byte, error) {
	if s.masker == nil {
		return b.Bytes(), nil
	}
	out, err := s.masker.Write(nil, b.Bytes())
	if err == nil && end {
		out, err = s.masker.Close(out)
	} else if f, ok := s.masker.(layer.Flusher); ok && err == nil && len(out) == 0 {
		out, err = f.Flush(out)
	}
	s.masked = max(s.masked, int64(s.masker.Masked()))
	if err != nil {
		return nil, err
	}
	return out, b.Set(out)
}

// cutOff ends a response whose body turns out not to be maskable, as well as can still be done.
func (s *stream) cutOff(err error) {
	if s.waiting != nil {
		s.waiting = nil
		s.blockResponse(err)
		return
	}
	s.t.rt.Log().Warn("a response is cut off: it cannot be masked", "session", s.sh.span.ID(), "action", s.ordinal, "error", err)
	s.finish("blocked", "the response cannot be masked any further")
	s.host.Reset("dragoman_undecodable")
}

// EncodeTrailers implements api.StreamFilter.
func (s *stream) EncodeTrailers(t api.ResponseTrailerMap) api.StatusType {
	if s.phase == refused || s.ordinal == 0 {
		return api.Continue
	}
	list := listOf(t)
	var rest []byte
	if s.masker != nil {
		var err error
		if rest, err = s.masker.Close(nil); err != nil {
			s.cutOff(err)
			return api.TrailerStopIteration
		}
		masked, _ := header.Mask(s.plan, list)
		masked = header.MapTags(masked, list, func(string) string { return "" })
		if c, ok := s.masker.(changing); ok && c.Changes() { // digests of what is not shown
			masked = header.Response(masked)
		}
		replace(t, list, masked)
		list = masked
		s.masked = max(s.masked, int64(s.masker.Masked()))
	}
	status := api.Continue
	s.keep(&s.downWaits, func(b *session.Batch) {
		s.addHead(b)
		s.down.add(b.Response, s.ordinal, rest)
		s.down.end(b.Response, s.ordinal)
		b.Response(s.ordinal, trailersOf(list))
		s.close(b)
	}, s.deliver(&status))
	if status == api.StopNoBuffer {
		return api.TrailerStopIteration
	}
	if len(rest) > 0 {
		s.host.EncoderFilterCallbacks().AddData(rest, true)
	}
	if s.downWaits > 0 {
		return api.TrailerStopIteration
	}
	return status
}

// responseHead is the payload of the head as it is delivered.
func (s *stream) responseHead(list header.List) []byte {
	version := "HTTP/1.1 "
	if strings.HasPrefix(s.host.Protocol(), "HTTP/2") {
		version = "HTTP/2 "
	}
	return exchange.AppendHead(nil, version+strconv.Itoa(s.code)+" "+nethttp.StatusText(s.code), func(yield func(string, string)) {
		for _, f := range list {
			yield(f.Name, f.Value)
		}
	})
}

package http

import (
	nethttp "net/http"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// refuse answers in the target's place: nothing of the request goes on. Of a request that has a session, the
// refusal is recorded first.
func (s *stream) refuse(p *problem) {
	if s.phase == refused {
		return
	}
	s.phase, s.kept = refused, nil
	s.refuseMessages(p)
	if s.sh == nil {
		s.send(p)
		return
	}
	s.keepAnswer(p)
}

// answer is refuse for a request that has gone on already.
func (s *stream) answer(p *problem) {
	s.phase = refused
	s.keepAnswer(p)
}

func (s *stream) keepAnswer(p *problem) {
	if p.status == "" {
		p.status = "error"
	}
	s.finished = true
	if s.wordRefused(); s.worded == nil && s.ordinal == 0 {
		s.send(p) // nothing of it goes on, and nothing of it can be kept
		return
	}
	s.keep(&s.upWaits, func(b *session.Batch) {
		s.announce(b)
		p.Instance = instance(s.sh.span.ID(), s.ordinal)
		code, body, fields := s.answerOf(p)
		b.Response(s.ordinal, answerHead(fields, code))
		b.Response(s.ordinal, exchange.AppendBody(nil, body))
		b.Result(s.ordinal, record.Result{Status: p.status, Code: strconv.Itoa(p.Status), Message: p.Detail,
			Bytes: int64(len(body)), Duration: s.t.rt.Now().Sub(s.started)})
	}, func(err error) {
		if err != nil && p.Code != "session_ended" { // a session that has ended records no more
			p = notRecorded()
		}
		s.send(p)
	})
}

// wordRefused puts into words what is refused; of what has none, that it was there.
func (s *stream) wordRefused() {
	if s.ordinal != 0 {
		return
	}
	err := s.inWords()
	if err == nil {
		return
	}
	s.t.rt.Log().Error("a refused action cannot be written down", "session", s.sh.span.ID(), "kind", s.action.Kind, "error", err)
	if s.rpc != nil {
		s.rpc.list = nil
	}
	act := undecodable(s.head.Method())
	d := policy.Decision{Verdict: policy.Block, Rule: s.d.Rule, Revision: s.d.Revision}
	if s.worded, err = record.AppendAction(nil, &act, &d); err != nil {
		s.worded = nil
	}
}

func answerHead(fields map[string][]string, code int) []byte {
	return exchange.AppendHead(nil, "HTTP/1.1 "+strconv.Itoa(code)+" "+nethttp.StatusText(code), func(yield func(string, string)) {
		yield("content-type", fields["content-type"][0])
	})
}

// send gives the answer to Envoy.
func (s *stream) send(p *problem) {
	if p.Instance == "" && s.sh != nil {
		p.Instance = instance(s.sh.span.ID(), s.ordinal)
	}
	if strings.HasPrefix(s.fields.Get("content-type"), "application/grpc") {
		s.host.Headers(p.grpcHead(s.fields.Get("content-type")))
		return
	}
	code, body, fields := s.answerOf(p)
	s.host.DecoderFilterCallbacks().SendLocalReply(code, string(body), fields, 0, "dragoman_"+p.Code)
}

// finish records how the action ended, once.
func (s *stream) finish(status, message string) {
	if s.finished || s.ordinal == 0 {
		return
	}
	s.finished = true
	s.sh.span.Record(func(b *session.Batch) { b.Result(s.ordinal, s.result(status, message)) }, func(error) {})
}

func (s *stream) result(status, message string) record.Result {
	r := record.Result{Status: status, Message: message, Bytes: s.down.bytes, Masked: s.masked,
		Duration: s.t.rt.Now().Sub(s.started)}
	if s.code != 0 {
		r.Code = strconv.Itoa(s.code)
	}
	return r
}

package http

import (
	"net"
	"slices"
	"strings"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// forward records the request as it will be sent, and then lets it pass.
func (s *stream) forward() {
	s.phase = recording
	if !s.expectAnswers() {
		return
	}
	s.prepare()
	up := s.up.begin(s.ended, s.req.HasBody(), s.fields.Get("content-length"))
	s.maskRecord()
	if !s.word() {
		return
	}
	head := s.requestHead()
	s.keep(&s.upWaits, func(b *session.Batch) {
		s.announce(b)
		b.Request(s.ordinal, head)
		up.add(b.Request, s.ordinal, s.kept)
		if s.ended {
			s.upEnd = true
			up.end(b.Request, s.ordinal)
			if s.trailers != nil {
				b.Request(s.ordinal, s.upTrailers())
			}
		}
	}, func(err error) {
		switch {
		case s.phase != recording:
		case err != nil:
			s.refuse(notRecorded())
		default:
			s.goOn()
		}
	})
}

// word puts the action and its decision into words before announce, under whose lock the session's other streams wait. An
// action that has no words cannot be recorded, and so does not pass: then it refuses, and is false.
func (s *stream) word() bool {
	if s.ordinal != 0 {
		return true
	}
	if err := s.inWords(); err != nil {
		s.wordless(err)
		return false
	}
	return true
}

func (s *stream) inWords() (err error) {
	act := s.maskedAction()
	if s.worded, err = record.AppendAction(make([]byte, 0, 1<<10), &act, &s.d); err != nil {
		return err
	}
	return s.wordOthers()
}

// wordless refuses an action that cannot be written down: what is recorded is that it was there, and blocked.
func (s *stream) wordless(err error) {
	s.t.rt.Log().Error("an action cannot be written down", "session", s.sh.span.ID(), "kind", s.action.Kind, "error", err)
	p := notRecorded()
	s.action, s.plan = undecodable(s.head.Method()), nil
	s.d = policy.Decision{Verdict: policy.Block, Rule: "http.record", Reason: p.Detail, Revision: s.d.Revision}
	if s.rpc != nil {
		s.rpc.list = nil
	}
	p.Rule = s.d.Rule
	s.refuse(p)
}

// announce records the action and its decision, once. word comes before.
func (s *stream) announce(b *session.Batch) {
	if s.ordinal != 0 {
		return
	}
	s.ordinal = b.Action(s.worded)
	s.worded = nil
	s.noteTrace(b, s.ordinal)
	s.tellTrace()
	s.announceOthers(b)
}

// keep records what make adds, and calls then on the worker when it is safe: before it returns when that does not take the disk.
func (s *stream) keep(waits *int, make func(*session.Batch), then func(error)) {
	if s.cfg.mode == record.ModeWrite {
		var safe error
		s.sh.span.Record(make, func(err error) { safe = err })
		then(safe)
		return
	}
	*waits++
	s.sh.span.Record(make, func(err error) {
		s.host.Post(func() {
			*waits--
			then(err)
		})
	})
}

// sendPiece records a piece of the body that goes on at once.
func (s *stream) sendPiece(p []byte) {
	s.keep(&s.upWaits, func(b *session.Batch) {
		s.up.add(b.Request, s.ordinal, p)
		if s.ended && !s.upEnd {
			s.upEnd = true
			s.up.end(b.Request, s.ordinal)
		}
	}, s.sent)
}

func (s *stream) sendTrailers() {
	s.keep(&s.upWaits, func(b *session.Batch) {
		if !s.upEnd {
			s.upEnd = true
			s.up.end(b.Request, s.ordinal)
		}
		b.Request(s.ordinal, s.upTrailers())
	}, s.sent)
}

// sent lets pass what is safe, when all before it is.
func (s *stream) sent(err error) {
	switch {
	case s.phase != passing:
	case err != nil:
		s.lost(err)
	case s.upWaits == 0:
		s.goOn()
	}
}

// lost ends an exchange that cannot be recorded any further.
func (s *stream) lost(err error) {
	s.t.rt.Log().Error("an exchange cannot be recorded", "session", s.sh.span.ID(), "error", err)
	if !s.answered {
		s.answer(notRecorded())
		return
	}
	s.host.Reset("dragoman_not_recorded")
}

// unforwarded are fields that the gateway or Envoy sets, and nobody else.
func unforwarded(name string) bool {
	switch name {
	case "x-forwarded-client-cert", "forwarded", "x-real-ip", "true-client-ip", "x-client-ip", "x-forwarded-host", "x-forwarded-port",
		"proxy-connection", "proxy-authorization", "x-request-start":
		return true
	}
	return strings.HasPrefix(name, "x-envoy-") || strings.HasPrefix(name, "dragoman-")
}

// prepare makes the head what the target gets: in normal form, without the agent's credential, with the target's.
func (s *stream) prepare() {
	h := s.head
	if s.req.Authority != h.Host() {
		h.SetHost(s.req.Authority)
	}
	if t := s.req.Target(); t != h.Path() {
		h.SetPath(t)
	}
	for _, f := range s.fields {
		if unforwarded(f.Name) {
			h.Del(f.Name)
		}
	}
	if !s.proof.inProxy {
		h.Del("authorization")
	}
	if s.plan != nil && s.plan.Content() || s.rpc != nil {
		replace(h, s.fields, header.Request(s.upFields()))
	}
	if ip, _, err := net.SplitHostPort(s.client); err == nil {
		h.Set("x-forwarded-for", ip)
	}
	if s.trace.host != nil {
		h.Set("traceparent", s.trace.traceparent())
	}
	s.sendNames(h)
	s.prepareCall(h)
	for _, c := range s.sh.span.Opened().Credentials.Headers {
		h.Del(c.Name)
	}
	for _, c := range s.sh.span.Opened().Credentials.Headers { // a name may have several values
		h.Add(c.Name, c.Value)
	}
}

// changer is a header map as far as it is changed here.
type changer interface {
	Set(key, value string)
	Add(key, value string)
	Del(key string)
}

// replace makes the map have the fields of now where they were others before.
func replace(h changer, before, now header.List) {
	done := map[string]bool{}
	for _, f := range slices.Concat(before, now) {
		if done[f.Name] {
			continue
		}
		done[f.Name] = true
		old, new := valuesOf(before, f.Name), valuesOf(now, f.Name)
		if slices.Equal(old, new) {
			continue
		}
		h.Del(f.Name)
		for _, v := range new {
			h.Add(f.Name, v)
		}
	}
}

func valuesOf(l header.List, name string) (all []string) {
	for _, f := range l {
		if f.Name == name {
			all = append(all, f.Value)
		}
	}
	return all
}

// requestHead is the payload of the head as it is sent, without what is secret.
func (s *stream) requestHead() []byte {
	list := s.asClientHas(listOf(s.head))
	secret := map[string]bool{"authorization": true}
	for _, c := range s.sh.span.Opened().Credentials.Headers {
		secret[c.Name] = !strings.HasPrefix(c.Name, "impersonate-") // who acts at a Kubernetes API server is no secret
	}
	path := s.head.Path()
	if s.plan != nil {
		path, _ = header.Target(s.plan, path)
		list, _ = header.Mask(s.plan, list)
	}
	return exchange.AppendHead(nil, s.head.Method()+" "+path+" "+s.host.Protocol(), func(yield func(string, string)) {
		yield("host", s.head.Host())
		for _, f := range list {
			if secret[f.Name] {
				f.Value = exchange.Hidden
			}
			yield(f.Name, f.Value)
		}
	})
}

func trailersOf(list header.List) []byte {
	return exchange.AppendTrailers(nil, func(yield func(string, string)) {
		for _, f := range list {
			yield(f.Name, f.Value)
		}
	})
}

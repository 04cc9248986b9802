package kube

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/termmask"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

// stream is one request, which is one session.
type stream struct {
	server *Server
	log    *slog.Logger
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context // ends with the client
	cancel context.CancelFunc

	front    *front
	target   *Target
	req      kube.Stream
	protocol string // of the streams, towards the client
	span     *session.Span
	gate     *gate.Gate

	mu     sync.Mutex
	over   string // why the session was ended from outside
	told   sync.Once
	client side
	up     side
}

// serve is the whole life of a request.
func (s *stream) serve() {
	no := s.understand()
	if no == nil {
		no = s.open()
	}
	if s.span != nil {
		defer s.span.Release()
		defer s.span.End("client", "")
	}
	if no == nil {
		no = s.run()
	}
	if no == nil {
		return
	}
	if s.front != nil && s.websocket() {
		s.server.again.put(s.front.key(s.r.RequestURI), no)
	}
	write(s.w, no)
}

// understand reads the request; nothing is asked of anybody yet.
func (s *stream) understand() *kube.Status {
	f := frontOf(s.r)
	if f == nil {
		s.log.Error("a request to the bridge does not come from our Envoy")
		return fault("the gateway is misconfigured")
	}
	t, ok := s.server.opt.Target(f.target)
	if !ok {
		return fault("the gateway is misconfigured")
	}
	s.target = t
	if f.tls == "" && !t.AllowCleartext {
		return bad("this target takes no requests without TLS")
	}
	if !f.bearer(s.r) {
		return unauthorized("dragoman: the Authorization header is not that of a token")
	}
	s.front = f
	if !s.websocket() {
		if st := s.server.again.take(f.key(s.r.RequestURI)); st != nil {
			return st
		}
	}
	path, query, _ := strings.Cut(s.r.RequestURI, "?")
	var err error
	if s.req, err = kube.ParseStream(path, query); err != nil {
		return bad(gate.Printable(err.Error(), 512))
	}
	return s.handshake()
}

// handshake looks at how the client wants the streams carried.
func (s *stream) handshake() *kube.Status {
	h := s.r.Header
	switch {
	case s.websocket():
		if s.r.Method != http.MethodGet || !websocket.GoodKey(h.Get("Sec-WebSocket-Key")) || h.Get("Sec-WebSocket-Version") != "13" {
			return bad("this is no handshake of WebSocket")
		}
		s.protocol = s.choose("Sec-WebSocket-Protocol", ours, tunnelled)
	case strings.EqualFold(h.Get("Upgrade"), spdyUpgrade) && s.r.ContentLength <= 0:
		if s.r.Method != http.MethodPost && s.r.Method != http.MethodGet {
			return bad("this is no request for " + spdyUpgrade)
		}
		s.protocol = s.choose(spdyProtocol, spdyOurs, portForward)
	default:
		return bad("exec and attach are served over WebSocket and " + spdyUpgrade)
	}
	switch forward := s.req.Subresource == kube.PortForward; {
	case s.protocol == "" && forward:
		return bad("offer " + tunnelled + " over WebSocket, or " + portForward + " over " + spdyUpgrade)
	case s.protocol == "":
		return bad("offer " + v5 + " or " + v4)
	case forward && len(s.req.Ports) > 0:
		return bad("ports are named by streams, not in the query")
	}
	return nil
}

// choose is the protocol of the streams; "" when the client offers none of ours.
func (s *stream) choose(header string, commands []string, forward string) string {
	if s.req.Subresource == kube.PortForward {
		commands = []string{forward}
	}
	return choose(s.offered(header), commands)
}

func (s *stream) websocket() bool { return strings.EqualFold(s.r.Header.Get("Upgrade"), "websocket") }

// offered are the protocols that the client can speak, the best first.
func (s *stream) offered(header string) (out []string) {
	for _, line := range s.r.Header.Values(header) {
		for _, p := range strings.Split(line, ",") {
			out = append(out, strings.TrimSpace(p))
		}
	}
	return out
}

// open has authz open the session. It may wait for people.
func (s *stream) open() *kube.Status {
	t, f, now := s.target, s.front, s.server.opt.Now
	req := check.OpenRequest{Target: f.target, Token: f.token, SPIFFE: f.spiffe, CertDigest: f.digest,
		Session: policy.Session{Client: f.client, Started: now(), Application: f.agent}}
	span, err := s.server.opt.Runtime.OpenSpan(s.ctx, session.SpanOpening{Request: req, Mode: t.Mode,
		Timeout: max(t.Hold, session.DefaultHoldTimeout) + time.Minute, Limits: session.Limits{Idle: t.Idle}, Ended: s.ended})
	if err != nil {
		var no *check.Refusal
		if !errors.As(err, &no) && !errors.Is(err, context.Canceled) {
			s.log.Error("a session cannot be opened", "err", err)
		}
		return refused(err)
	}
	s.span = span
	info := span.Opened()
	s.log = s.log.With("session", span.ID())
	s.gate = &gate.Gate{Span: span, Judge: s.server.opt.Policy.Session(info.Identity, info.Target, span.Info()), Timeout: t.Hold, Log: s.log, Now: now}
	return nil
}

// run judges the request, asks the target, and moves the streams until they end.
func (s *stream) run() *kube.Status {
	act, digest := s.action()
	if s.req.Subresource == kube.PortForward && s.target.Forward {
		return s.forward(digest)
	}
	p, err := s.pass(act, digest)
	if err != nil {
		return notPassed(err)
	}
	plan, err := s.gate.Plan(&s.server.plans, p)
	if err != nil {
		s.gate.Result(p, record.Result{Status: "error", Message: "its masks are not good"})
		return fault("its masks are not good")
	}
	x := &relay{s: s, p: p, plan: plan, tty: s.req.TTY}
	if err := x.begin(); err != nil {
		return fault("it cannot be recorded")
	}
	up, err := s.target.connect(s.ctx, &s.req, s.span.Opened().Credentials)
	s.span.DropCredentials()
	if err != nil {
		s.log.Warn("not run", "err", err)
		s.gate.Result(p, record.Result{Status: "error", Message: gate.Printable(maskText(plan, err.Error()), 512)})
		return notReached(err, plan)
	}
	client, err := s.accept()
	if err != nil {
		up.close(nil)
		s.gate.Result(p, record.Result{Status: "lost", Message: "the client has gone"})
		return nil
	}
	if !s.both(client, up) {
		return nil
	}
	x.client, x.up = client, up
	x.run(act.Kind == action.KindShell)
	return nil
}

// notReached is the answer when the target does not do what it may.
func notReached(err error, plan *mask.Plan) *kube.Status {
	var told *targetError
	if errors.As(err, &told) {
		return masked(told.status, plan)
	}
	return kube.Failed(http.StatusBadGateway, "dragoman: the target did not run it")
}

// pass has both judged: that the agent may do this to the pod, and what it runs there. It waits for people.
func (s *stream) pass(act action.Action, digest string) (gate.Passed, error) {
	switch {
	case s.req.Subresource == kube.PortForward:
		return gate.Passed{}, s.gate.Refuse(s.ctx, act, "target.forward", "forwarded connections are off for this target", "the target's kubernetes.forward allows them to be judged")
	case s.target.ExecOnly && act.Kind == action.KindShell:
		return gate.Passed{}, s.gate.Refuse(s.ctx, act, "target.exec_only", "this target has no interactive shells", "give the command: kubectl exec POD -- COMMAND")
	}
	call, err := s.gate.Pass(s.ctx, s.call(), digest, nil)
	if err != nil {
		return gate.Passed{}, err
	}
	s.gate.Result(call, record.Result{Status: "ok"})
	return s.gate.Pass(s.ctx, act, digest, nil)
}

// both notes the two sides, so that the session's end closes them; false when it is over.
func (s *stream) both(client, up side) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client, s.up = client, up
	if s.over != "" {
		up.close(nil)
		client.close(nil)
		return false
	}
	return true
}

// accept upgrades the client's request.
func (s *stream) accept() (side, error) {
	raw, r, err := s.hijack()
	if err != nil {
		return nil, err
	}
	if s.websocket() {
		return &channels{ws: websocket.New(raw, r, false), protocol: s.protocol}, nil
	}
	c, err := takeStreams(raw, spdy.New(raw, r, false, maxStreams), &s.req, s.protocol)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// hijack takes the connection and answers that it is upgraded.
func (s *stream) hijack() (net.Conn, *bufio.Reader, error) {
	raw, rw, err := http.NewResponseController(s.w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	words := "Upgrade: " + spdyUpgrade + "\r\n" + spdyProtocol + ": " + s.protocol
	if s.websocket() {
		words = "Upgrade: websocket\r\nSec-WebSocket-Accept: " + websocket.Accept(s.r.Header.Get("Sec-WebSocket-Key")) + "\r\nSec-WebSocket-Protocol: " + s.protocol
	}
	if _, err = io.WriteString(raw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+words+"\r\n\r\n"); err != nil {
		raw.Close()
		return nil, nil, err
	}
	return raw, readerOf(raw, rw), nil
}

// readerOf has what the server has read already.
func readerOf(raw net.Conn, rw *bufio.ReadWriter) *bufio.Reader {
	if rw.Reader.Buffered() > 0 {
		return rw.Reader
	}
	return bufio.NewReaderSize(raw, websocket.Piece)
}

// ended is the session's word that it was ended from outside: revoked, expired, by an administrator.
func (s *stream) ended(reason, message string) {
	s.log.Info("a session is ended", "reason", reason)
	s.shut("the session has ended: " + message)
}

// end ends the request and its session.
func (s *stream) end(reason, message string) {
	if s.span != nil {
		s.span.End(reason, message)
	}
	s.shut(message)
}

// shut closes both sides; the client is told why.
func (s *stream) shut(words string) {
	s.mu.Lock()
	first := s.over == ""
	s.over = words
	client, up := s.client, s.up
	s.mu.Unlock()
	s.cancel()
	if !first || client == nil {
		return
	}
	up.close(nil)
	told := make(chan struct{})
	go func() {
		defer close(told)
		s.tellEnd(client, fault(words))
	}()
	select {
	case <-told:
	case <-time.After(farewellTime): // it does not read
	}
	client.close(nil)
}

// tellEnd tells the client how its command ended, once.
func (s *stream) tellEnd(client side, st *kube.Status) {
	s.told.Do(func() { _ = client.tell(st) })
}

// farewellTime bounds the last words to a client that may not read.
const farewellTime = 500 * time.Millisecond

// maskText masks a whole text.
func maskText(plan *mask.Plan, text string) string {
	m := termmask.New(plan, false)
	if m.Passes() {
		return text
	}
	return string(m.Flush(m.Write(nil, []byte(text))))
}

// masked is a target's Status with its words masked.
func masked(s *kube.Status, plan *mask.Plan) *kube.Status {
	return s.Masked(func(text string) string { return maskText(plan, text) })
}

package kube

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

// Port-forward is SPDY on both sides, towards the client also within a WebSocket: each connection is a pair of streams, for
// data and for what went wrong, which their headers bring together.
const (
	portForward = "portforward.k8s.io"
	tunnelled   = spdyUpgrade + "+" + portForward
	portHeader  = "port"
	pairHeader  = "requestid"
	typeData    = "data"
	typeError   = "error"
)

// maxForwarded is how many connections a session has at a time.
const maxForwarded = 256

// forwarding is a port-forward.
type forwarding struct {
	s          *stream
	client, up *spdy.Conn

	mu      sync.Mutex
	pairs   map[string]*forwarded // of which one stream is there, by request id
	streams map[uint32]*forwarded // by the client's streams
	theirs  map[uint32]*forwarded // by the target's
	number  uint32
	wait    sync.WaitGroup
}

// forward is a request for port-forward from its judgement to its end.
func (s *stream) forward(digest string) *kube.Status {
	call, err := s.gate.Pass(s.ctx, s.call(), digest, nil)
	if err != nil {
		return notPassed(err)
	}
	up, err := s.target.forward(s.ctx, &s.req, s.span.Opened().Credentials)
	s.span.DropCredentials()
	if err != nil {
		s.log.Warn("not forwarded", "err", err)
		s.gate.Result(call, record.Result{Status: "error", Message: gate.Printable(err.Error(), 512)})
		return notReached(err, nil)
	}
	s.gate.Result(call, record.Result{Status: "ok"})
	raw, r, err := s.hijack()
	if err != nil {
		up.Close()
		return nil
	}
	if s.websocket() {
		t := &tunnel{Conn: raw, ws: websocket.New(raw, r, false)}
		raw, r = t, bufio.NewReaderSize(t, websocket.Piece)
	}
	f := &forwarding{s: s, client: spdy.New(raw, r, false, 2*maxForwarded), up: up, pairs: map[string]*forwarded{},
		streams: map[uint32]*forwarded{}, theirs: map[uint32]*forwarded{}}
	stop := context.AfterFunc(s.ctx, f.close)
	defer stop()
	f.run()
	return nil
}

func (f *forwarding) close() {
	f.up.Close()
	f.client.Close()
}

// run moves everything until one side goes.
func (f *forwarding) run() {
	f.wait.Go(func() {
		f.guarded(f.fromTarget)
		f.close()
	})
	f.guarded(f.fromClient)
	f.close()
	f.s.cancel() // whoever waits for people does not any more
	f.wait.Wait()
	f.mu.Lock()
	var left []*forwarded
	for _, c := range f.streams {
		left = append(left, c)
	}
	f.mu.Unlock()
	for _, c := range left {
		c.finish("lost", "the port-forward has ended")
	}
}

func (f *forwarding) guarded(move func() error) {
	defer func() {
		if p := recover(); p != nil {
			f.s.log.Error("panic in a port-forward", "panic", p)
			f.s.end("fault", "internal error")
		}
	}()
	if err := move(); err != nil {
		f.s.log.Debug("a side of a port-forward has ended", "err", err)
	}
}

func (f *forwarding) fromClient() error {
	for {
		e, err := f.client.Read()
		if err != nil {
			return err
		}
		if e.Kind == spdy.Opened {
			if err := f.opened(e); err != nil {
				return err
			}
			continue
		}
		f.mu.Lock()
		c := f.streams[e.Stream]
		f.mu.Unlock()
		if c == nil {
			continue
		}
		if err := c.fromClient(e); err != nil {
			return err
		}
	}
}

// opened is one stream of a pair; with both there is a connection.
func (f *forwarding) opened(e spdy.Event) error {
	kind, id := e.Headers[streamType], e.Headers[pairHeader]
	port, err := strconv.ParseUint(e.Headers[portHeader], 10, 16)
	if err != nil || port == 0 || id == "" || len(id) > 20 || kind != typeData && kind != typeError {
		return fmt.Errorf("%w: a stream of port-forward", errChannels)
	}
	f.mu.Lock()
	c := f.pairs[id]
	if c == nil {
		c = &forwarded{f: f, port: uint16(port), id: id}
		f.pairs[id] = c
	}
	mine := &c.data
	if kind == typeError {
		mine = &c.errors
	}
	twice := *mine != 0 || c.port != uint16(port)
	*mine = e.Stream
	f.streams[e.Stream] = c
	whole := c.data != 0 && c.errors != 0
	if whole {
		delete(f.pairs, id)
		f.number++
		c.number = f.number
	}
	f.mu.Unlock()
	if twice {
		return fmt.Errorf("%w: a stream twice", errChannels)
	}
	if err := f.client.Reply(e.Stream); err != nil {
		return err
	}
	if whole {
		c.ctx, c.cancel = context.WithCancel(f.s.ctx)
		f.wait.Go(c.judge)
	}
	return nil
}

func (f *forwarding) fromTarget() error {
	for {
		e, err := f.up.Read()
		if err != nil {
			return err
		}
		f.mu.Lock()
		c := f.theirs[e.Stream]
		f.mu.Unlock()
		switch {
		case e.Kind == spdy.Opened:
			if err := f.up.Reset(e.Stream); err != nil {
				return err
			}
		case c != nil:
			if err := c.fromTarget(e); err != nil {
				return err
			}
		}
	}
}

// where is a port of the pod, as rules name it; a namespace has no dots.
func (s *stream) where(port uint16) string {
	return s.req.Pod + "." + s.req.Namespace + ":" + strconv.Itoa(int(port))
}

// connectAction is a connection to a port of the pod.
func (s *stream) connectAction(port uint16) action.Action {
	where := s.where(port)
	act := gate.Plain(action.KindForward, "connect", "port-forward "+where)
	act.Writes = append(act.Writes, action.Object{Name: where, Columns: []string{}})
	for _, p := range [][2]string{{"namespace", s.req.Namespace}, {"pod", s.req.Pod}, {"port", strconv.Itoa(int(port))}} {
		act.Params = append(act.Params, action.Param{Name: p[0], Value: p[1]})
	}
	return act
}

// forward reaches the target for a port-forward.
func (t *Target) forward(ctx context.Context, s *kube.Stream, creds check.Credentials) (*spdy.Conn, error) {
	var c *spdy.Conn
	err := t.reach(ctx, func(raw net.Conn, addr string) error {
		h, r, err := t.ask(ctx, raw, addr, http.MethodPost, s, creds, map[string]string{"Upgrade": spdyUpgrade, spdyProtocol: portForward})
		if err != nil {
			return err
		}
		if h.Get(spdyProtocol) != portForward {
			return errNotSpoken
		}
		c = spdy.New(raw, r, true, 2*maxForwarded)
		return nil
	})
	return c, err
}

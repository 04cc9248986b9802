package postgres

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// testHost is a host without Envoy: it listens, runs the listener filter on
// the raw socket, TLS, and the network filter, one worker goroutine a connection.
type testHost struct {
	t        *testing.T
	ln       net.Listener
	network  filters.Network
	listener func() filters.Listener
	upstream string
	tls      *tls.Config // of the client's side, nil without
	upTLS    *tls.Config
	ids      atomic.Uint64
	dials    atomic.Int64 // connections to the target
	upBytes  atomic.Int64 // bytes that went to the target
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     map[*testConn]bool
}

func (h *testHost) addr() string { return h.ln.Addr().String() }

func startHost(t *testing.T, h *testHost) *testHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.t, h.ln, h.open = t, ln, map[*testConn]bool{}
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			h.wg.Add(1)
			go func() { defer h.wg.Done(); h.serve(raw) }()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		h.mu.Lock()
		for c := range h.open {
			c.client.Close()
		}
		h.mu.Unlock()
		h.wg.Wait()
	})
	return h
}

// testSocket is the raw socket under the listener filter.
type testSocket struct {
	net.Conn
	r      *bufio.Reader
	closed bool
}

func (s *testSocket) Read(b []byte) (int, error) { return s.r.Read(b) }
func (s *testSocket) Drain(n int) error          { _, err := s.r.Discard(n); return err }

type rawSocket struct{ *testSocket }

func (s rawSocket) Write(b []byte) error { _, err := s.testSocket.Conn.Write(b); return err }
func (s rawSocket) Close()               { s.closed = true; s.testSocket.Conn.Close() }
func (s rawSocket) ClientAddr() string   { return s.RemoteAddr().String() }

// preface runs the listener filter; false means that it refused the socket.
func (h *testHost) preface(s *testSocket) bool {
	if h.listener == nil {
		return true
	}
	l := h.listener()
	status := l.OnAccept(rawSocket{s})
	for n := 1; status == filters.SocketNeedMore; {
		b, err := s.r.Peek(min(n, l.MaxPeek()))
		if b2, _ := s.r.Peek(s.r.Buffered()); len(b2) > len(b) {
			b = b2[:min(len(b2), l.MaxPeek())]
		}
		before := s.r.Buffered()
		if len(b) == 0 && err != nil {
			return false
		}
		status = l.OnData(rawSocket{s}, b)
		if s.r.Buffered() < before {
			n = 1
		} else {
			n = len(b) + 1
		}
		if err != nil && status == filters.SocketNeedMore {
			return false
		}
	}
	return status == filters.SocketDone && !s.closed
}

func (h *testHost) serve(raw net.Conn) {
	s := &testSocket{Conn: raw, r: bufio.NewReaderSize(raw, 32<<10)}
	defer raw.Close()
	if !h.preface(s) {
		return
	}
	c := &testConn{h: h, client: s, work: make(chan func(), 1024), gone: make(chan struct{}), id: h.ids.Add(1)}
	if b, err := s.r.Peek(1); h.tls != nil && err == nil && b[0] == 0x16 {
		t := tls.Server(s, h.tls)
		if err := t.Handshake(); err != nil {
			return
		}
		c.client = t
		c.tls.Active = true
		st := t.ConnectionState()
		c.tls.ServerName = st.ServerName
		if len(st.PeerCertificates) > 0 {
			p := st.PeerCertificates[0]
			for _, u := range p.URIs {
				c.tls.URISANs = append(c.tls.URISANs, u.String())
			}
			sum := sha256.Sum256(p.Raw)
			c.tls.CertSHA256 = hex.EncodeToString(sum[:])
		}
	}
	h.mu.Lock()
	h.open[c] = true
	h.mu.Unlock()
	c.run()
	h.mu.Lock()
	delete(h.open, c)
	h.mu.Unlock()
}

// testConn implements filters.Conn.
type testConn struct {
	api.ConnectionCallback
	h      *testHost
	client net.Conn
	tls    filters.TLS
	id     uint64
	down   api.DownstreamFilter
	upf    api.UpstreamFilter
	work   chan func()
	gone   chan struct{}
	once   sync.Once
	out    writer
	up     upstreamSide
	pause  gate
}

func (c *testConn) run() {
	c.down, c.upf = c.h.network.NewConn(c)
	c.up.c = c
	c.out.start(c.client)
	c.down.OnNewConnection()
	go c.read(c.client, &c.pause, func(b []byte) { c.down.OnData(b, false) }, func() { c.finish(api.RemoteClose) })
	for {
		select {
		case f := <-c.work:
			f()
		case <-c.gone:
			c.up.close()
			c.out.stop()
			return
		}
	}
}

// finish is called on the worker.
func (c *testConn) finish(e api.ConnectionEvent) {
	c.once.Do(func() {
		c.down.OnEvent(e)
		close(c.gone)
	})
}

func (c *testConn) read(from net.Conn, g *gate, take func([]byte), end func()) {
	buf := make([]byte, 16<<10)
	for {
		g.wait(c.gone)
		n, err := from.Read(buf)
		if n > 0 {
			done := make(chan struct{})
			if !c.Post(func() { take(buf[:n]); close(done) }) {
				return
			}
			select {
			case <-done:
			case <-c.gone:
				return
			}
			for i := range buf[:n] {
				buf[i] = 0xAA // borrowed bytes must not be used after the callback
			}
		}
		if err != nil {
			c.Post(end)
			return
		}
	}
}

func (c *testConn) Post(f func()) bool {
	select {
	case <-c.gone:
		return false
	default:
	}
	select {
	case c.work <- f:
		return true
	case <-c.gone:
		return false
	}
}

func (c *testConn) ID() uint64                       { return c.id }
func (c *testConn) Upstream() api.ConnectionCallback { return &c.up }
func (c *testConn) Connect()                         { c.up.connect() }
func (c *testConn) Route(string) error               { return nil }
func (c *testConn) PauseReads(p bool)                { c.pause.set(p) }
func (c *testConn) TLS() filters.TLS                 { return c.tls }
func (c *testConn) ClientAddr() string               { return c.client.RemoteAddr().String() }
func (c *testConn) LocalAddr() string                { return c.client.LocalAddr().String() }
func (c *testConn) UpstreamAddr() string             { return c.h.upstream }
func (c *testConn) UpstreamCertSHA256() []byte       { return c.up.cert }
func (c *testConn) StartUpstreamTLS() error          { return c.up.startTLS() }
func (c *testConn) Write(b []byte, _ bool)           { c.out.write(b) }
func (c *testConn) StreamInfo() api.StreamInfo       { return testInfo{} }

func (c *testConn) Close(api.ConnectionCloseType) {
	c.out.flush()
	c.client.Close()
	c.finish(api.LocalClose)
}

// testInfo takes filter state and forgets it: this host always connects to the one target.
type testInfo struct{ api.StreamInfo }

func (testInfo) FilterState() api.FilterState { return testState{} }

type testState struct{ api.FilterState }

func (testState) SetString(string, string, api.StateType, api.LifeSpan, api.StreamSharing) {}

// upstreamSide is the target's connection.
type upstreamSide struct {
	api.ConnectionCallback
	c       *testConn
	conn    net.Conn
	early   []byte
	dialled bool
	toTLS   bool
	out     writer
	cert    []byte
}

func (u *upstreamSide) connect() {
	if u.dialled {
		return
	}
	u.dialled = true
	u.c.h.dials.Add(1)
	go func() {
		raw, err := net.Dial("tcp", u.c.h.upstream)
		u.c.Post(func() {
			if err != nil {
				u.c.upf.OnPoolFailure(0, err.Error())
				return
			}
			u.conn = raw
			u.out.start(raw)
			u.out.write(u.early)
			u.early = nil
			u.c.upf.OnPoolReady(u)
			go u.read(raw)
		})
	}()
}

func (u *upstreamSide) read(raw net.Conn) {
	buf := make([]byte, 64<<10)
	conn := raw
	for {
		n, err := conn.Read(buf)
		toTLS := false
		if n > 0 {
			done := make(chan struct{})
			if !u.c.Post(func() { u.c.upf.OnData(buf[:n], false); toTLS = u.toTLS; u.toTLS = false; close(done) }) {
				return
			}
			select {
			case <-done:
			case <-u.c.gone:
				return
			}
			for i := range buf[:n] {
				buf[i] = 0xAA
			}
		}
		if toTLS {
			t := tls.Client(raw, u.c.h.upTLS)
			if err := t.Handshake(); err != nil {
				u.c.Post(func() { u.c.upf.OnEvent(api.RemoteClose) })
				return
			}
			conn = t
			u.c.Post(func() {
				u.out.start(t)
				u.out.write(u.early)
				u.early = nil
				u.conn = t
			})
			continue
		}
		if err != nil {
			u.c.Post(func() { u.c.upf.OnEvent(api.RemoteClose) })
			return
		}
	}
}

func (u *upstreamSide) startTLS() error {
	if u.c.h.upTLS == nil {
		return errors.New("no TLS")
	}
	u.toTLS, u.conn = true, nil
	u.out.flush()
	return nil
}

func (u *upstreamSide) Write(b []byte, _ bool) {
	u.c.h.upBytes.Add(int64(len(b)))
	if u.conn == nil {
		u.early = append(u.early, b...)
		return
	}
	u.out.write(b)
}

func (u *upstreamSide) close() {
	u.out.flush()
	u.out.stop()
	if u.conn != nil {
		u.conn.Close()
	}
}

// writer sends in the background, without bound, as Envoy does.
type writer struct {
	mu    sync.Mutex
	cond  *sync.Cond
	buf   []byte
	busy  bool
	ended bool
}

func (w *writer) start(to net.Conn) {
	w.stop()
	w.mu.Lock()
	w.cond = sync.NewCond(&w.mu)
	w.ended = false
	cond := w.cond
	w.mu.Unlock()
	go func() {
		for {
			w.mu.Lock()
			for len(w.buf) == 0 && !w.ended && w.cond == cond {
				cond.Wait()
			}
			if len(w.buf) == 0 || w.cond != cond {
				w.mu.Unlock()
				return
			}
			b := w.buf
			w.buf, w.busy = nil, true
			w.mu.Unlock()
			_, err := to.Write(b)
			w.mu.Lock()
			w.busy = false
			if err != nil {
				w.buf, w.ended = nil, true
			}
			cond.Broadcast()
			w.mu.Unlock()
		}
	}()
}

func (w *writer) write(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, b...)
	if w.cond != nil {
		w.cond.Broadcast()
	}
}

func (w *writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cond != nil && !w.ended && (len(w.buf) > 0 || w.busy) {
		w.cond.Wait()
	}
}

func (w *writer) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.cond != nil {
		w.cond.Broadcast()
	}
}

// gate stops a reader.
type gate struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shut && g.shut == nil {
		g.shut = make(chan struct{})
	} else if !shut && g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) wait(gone chan struct{}) {
	g.mu.Lock()
	ch := g.shut
	g.mu.Unlock()
	if ch != nil {
		select {
		case <-ch:
		case <-gone:
		}
	}
}

package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/live"
)

// Target is a target of protocol kubernetes.
type Target struct {
	Policy    policy.Target
	Addresses []string    // host:port of the API server; tried in order
	TLS       *tls.Config // nil: in clear text
	Host      string      // the Host header; "" is the address
	Mode      record.Mode
	// AllowCleartext takes tokens of clients without TLS.
	AllowCleartext bool
	ExecOnly       bool   // no interactive shells
	Forward        bool   // port-forward is judged; otherwise it is refused
	Streams        string // StreamsAuto …: how they are carried to the target
	Connect        time.Duration
	Hold           time.Duration // for holds whose policy gives no time
	Idle           time.Duration // zero: no limit
}

// Options of a Server. All but Log and Now must be set.
type Options struct {
	Runtime *session.Runtime
	Policy  *policy.Handle
	// Target finds a target by name.
	Target func(name string) (*Target, bool)
	Log    *slog.Logger
	Now    func() time.Time
}

// Server is the Kubernetes side of the bridge.
type Server struct {
	opt   Options
	plans mask.Plans
	http  http.Server
	again refusals
	live  live.Set[*stream]
}

const (
	headerTime = 10 * time.Second // Envoy sends a request's head at once
	maxHeader  = 192 << 10        // a command's words are in it
)

// New makes a Server.
func New(opt Options) (*Server, error) {
	if opt.Runtime == nil || opt.Policy == nil || opt.Target == nil {
		return nil, errors.New("kube: an option is missing")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Server{opt: opt, again: refusals{now: opt.Now}}
	s.live.End = func(st *stream) { st.end("shutdown", "the gateway stops") }
	s.http = http.Server{Handler: s, ReadHeaderTimeout: headerTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(opt.Log.Handler(), slog.LevelDebug)}
	return s, nil
}

// Serve accepts connections from Envoy until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// ServeHTTP implements http.Handler: one request, which is a session.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	st := &stream{server: s, log: s.opt.Log, w: w, r: r}
	st.ctx, st.cancel = context.WithCancel(r.Context())
	defer st.cancel()
	if !s.live.Add(st) {
		write(w, unavailable("the gateway stops"))
		return
	}
	defer s.live.Remove(st)
	defer func() {
		if p := recover(); p != nil { // one request's mistake ends that one only
			s.opt.Log.Error("panic in a Kubernetes stream", "panic", p)
			st.end("fault", "internal error")
		}
	}()
	st.serve()
}

// Close ends all streams and waits for them.
func (s *Server) Close() error {
	s.live.Stop()
	err := s.http.Close()
	s.live.Wait()
	return err
}

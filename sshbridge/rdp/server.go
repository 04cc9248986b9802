package rdp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/front"
	"dragoman.dev/dragoman/sshbridge/live"
)

// Keyboard says how keys are recorded.
type Keyboard uint8

const (
	KeysMasked Keyboard = iota // that a character was typed, not which; other keys as they are
	KeysClear                  // all
	KeysNone                   // none
)

// Target is a target of protocol rdp.
type Target struct {
	Policy    policy.Target
	Addresses []string // host:port; tried in order
	// TLS verifies the target; it must do so by itself where InsecureSkipVerify is set.
	TLS *tls.Config
	// Client is TLS towards clients, which prove an identity where they have a certificate.
	Client *tls.Config
	// NLA must be spoken by the target; otherwise it is where the target asks for it.
	NLA       bool
	Mode      record.Mode
	Clipboard bool // the clipboard is judged, not refused
	Keyboard  Keyboard
	Connect   time.Duration // to reach the target
	Login     time.Duration // of the client, and at the target
	Hold      time.Duration // for holds whose policy gives no time
	Idle      time.Duration // zero: no limit
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

// Server is the RDP side of the bridge.
type Server struct {
	opt   Options
	plans mask.Plans

	live   live.Set[*conn]
	accept front.Acceptor
}

// New makes a Server.
func New(opt Options) (*Server, error) {
	if opt.Runtime == nil || opt.Policy == nil || opt.Target == nil {
		return nil, errors.New("rdp: an option is missing")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Server{opt: opt}
	s.accept.Log, s.accept.Serve = opt.Log, s.serve
	s.live.End = func(c *conn) { c.end("shutdown", "the gateway stops") }
	return s, nil
}

// Serve accepts connections from Envoy until the listener is closed.
func (s *Server) Serve(l net.Listener) error { return s.accept.Accept(l) }

func (s *Server) serve(raw net.Conn, f front.Front) {
	c := &conn{server: s, front: f, raw: raw, log: s.opt.Log.With("client", f.Client.String())}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	defer c.cancel()
	if !s.live.Add(c) {
		return
	}
	defer s.live.Remove(c)
	c.serve()
}

// Close ends all connections and waits for them. The listener must be closed first.
func (s *Server) Close() error {
	s.live.Stop()
	s.accept.Wait()
	return nil
}

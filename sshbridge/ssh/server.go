package ssh

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/sysmon"
	"dragoman.dev/dragoman/sshbridge/front"
	"dragoman.dev/dragoman/sshbridge/live"
)

// Target is a target of protocol ssh.
type Target struct {
	Policy    policy.Target
	Addresses []string // host:port; tried in order
	// HostKey verifies the target's host key for an address. It must be given.
	HostKey ssh.HostKeyCallback
	// HostKeyAlgorithms are those of the keys that HostKey knows for an address; nil lets SSH choose.
	HostKeyAlgorithms func(address string) []string
	Mode              record.Mode
	ExecOnly          bool     // no interactive shells
	Env               []string // names that the client may set, with *
	Forward           bool     // forwarded connections are judged, not refused
	KeepFiles         bool     // the content of files is recorded
	KeepAlive         time.Duration
	Connect           time.Duration // to reach the target
	Login             time.Duration // of the client, and at the target
	Hold              time.Duration // for holds whose policy gives no time
	Idle              time.Duration // zero: no limit
}

// Options of a Server. All but Log and Now must be set.
type Options struct {
	Runtime *session.Runtime
	Policy  *policy.Handle
	// Target finds a target by name.
	Target func(name string) (*Target, bool)
	// HostKeys are ours; a host certificate is a key of its own.
	HostKeys []ssh.Signer
	// Known reports whether a public key or certificate may prove an identity, so that a client is
	// asked for its signature. It decides nothing.
	Known func(ssh.PublicKey) bool
	Log   *slog.Logger
	Now   func() time.Time
}

// Server is the SSH side of the bridge.
type Server struct {
	opt   Options
	plans mask.Plans

	slack []byte // never touched

	live   live.Set[*conn]
	accept front.Acceptor
}

// slack is how much more garbage Go's collector lets come together while there is a Server. x/crypto/ssh allocates each packet that it
// reads, so that copying files would have a process with little else on its heap collect all the time: a fifth of its CPU. The slack
// has no pages of its own: it is never written.
const slack = 128 << 20

// New makes a Server.
func New(opt Options) (*Server, error) {
	if opt.Runtime == nil || opt.Policy == nil || opt.Target == nil || opt.Known == nil || len(opt.HostKeys) == 0 {
		return nil, errors.New("ssh: an option is missing")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if err := sysmon.Calm(); err != nil {
		opt.Log.Debug("Go's monitor thread goes on as it is", "err", err)
	}
	s := &Server{opt: opt, slack: make([]byte, slack)}
	s.accept.Log, s.accept.Serve = opt.Log, s.serve
	s.live.End = func(c *conn) { c.end("shutdown", "the gateway stops") }
	return s, nil
}

// Serve accepts connections from Envoy until the listener is closed.
func (s *Server) Serve(l net.Listener) error { return s.accept.Accept(l) }

func (s *Server) serve(raw net.Conn, f front.Front) {
	c := &conn{server: s, front: f, raw: &corked{Conn: front.Conn{Conn: raw, Front: f}}, log: s.opt.Log.With("client", f.Client.String())}
	c.log.Debug("a connection from Envoy", "targets", f.Targets, "spiffe", f.SPIFFE, "digest", f.CertDigest)
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

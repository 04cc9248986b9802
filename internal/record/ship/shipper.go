package ship

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship/shippb"
)

const (
	// sessionWindow and totalWindow bound what is sent and not yet acknowledged.
	sessionWindow = 2 << 20
	totalWindow   = 16 << 20

	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	retryAfter = time.Second
)

// Options of a Shipper.
type Options struct {
	Spool *record.Spool
	// Conn leads to the control plane (a unix socket, or mTLS). It should have keepalive on, so
	// that a dead peer is noticed.
	Conn grpc.ClientConnInterface
	Node string
	// OnControl is called for each Control, in order, from the shipper's goroutine; it must not block.
	OnControl func(Control)
	// Poll is how often live sessions are looked at for new bytes; 0 means 100 ms.
	Poll time.Duration
	// Recover is how often sessions of dead processes are looked for; 0 means 30 s. The first time is at once.
	Recover time.Duration
	Log     *slog.Logger // nil: discard
}

// Shipper sends a spool's records to the control plane, for as long as it runs.
type Shipper struct {
	opt Options
}

// NewShipper makes a Shipper; Run does the work.
func NewShipper(opt Options) *Shipper {
	if opt.Poll <= 0 {
		opt.Poll = 100 * time.Millisecond
	}
	if opt.Recover <= 0 {
		opt.Recover = 30 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.OnControl == nil {
		opt.OnControl = func(Control) {}
	}
	return &Shipper{opt: opt}
}

// Run ships until the context ends. It connects again and again; what the control plane
// does not have stays in the spool meanwhile.
func (s *Shipper) Run(ctx context.Context) {
	wait := minBackoff
	for ctx.Err() == nil {
		s.recover()
		welcomed, err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if welcomed {
			wait = minBackoff
		}
		s.opt.Log.Warn("control plane is not reachable; records stay in the spool", "error", err, "again_in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		}
		wait = min(2*wait, maxBackoff)
	}
}

func (s *Shipper) recover() {
	if _, err := s.opt.Spool.Recover(); err != nil {
		s.opt.Log.Error("records of a dead process", "error", err)
	}
}

// once ships over one connection until it breaks.
func (s *Shipper) once(ctx context.Context) (welcomed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Run has its own back-off; gRPC's would grow to minutes.
	if c, ok := s.opt.Conn.(interface{ ResetConnectBackoff() }); ok {
		c.ResetConnectBackoff()
	}
	cs, err := s.opt.Conn.NewStream(ctx, &connectDesc, connectMethod)
	if err != nil {
		return false, err
	}
	stream := &grpc.GenericClientStream[shippb.NodeMessage, shippb.ControlMessage]{ClientStream: cs}
	hello := &shippb.Hello{Node: s.opt.Node, Format: record.Version}
	if err := stream.Send(&shippb.NodeMessage{Message: &shippb.NodeMessage_Hello{Hello: hello}}); err != nil {
		return false, recvError(stream, err)
	}
	m, err := stream.Recv()
	if err != nil {
		return false, err
	}
	if m.GetWelcome().GetFormat() != record.Version {
		return false, errors.New("no welcome, or of another record format")
	}
	l := &link{s: s, stream: stream, states: map[string]*state{}, acks: make(chan Ack, 64), failed: make(chan error, 1)}
	go func() { l.failed <- l.receive(ctx) }()
	return true, l.run(ctx)
}

// recvError gets the real reason when Send says only that the stream ended.
func recvError(stream connectClient, err error) error {
	if _, e := stream.Recv(); e != nil {
		return e
	}
	return err
}

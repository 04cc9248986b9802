package ship

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship/shippb"
)

const (
	// A batch is what has arrived while the batch before was made safe, up to these bounds.
	batchPieces = 512
	batchBytes  = 8 << 20
	// queued is how many pieces wait for the next batch at most; more stay in gRPC's flow control.
	queued = 256
)

// Chunk is a piece of a session's stream of frames.
type Chunk struct {
	Session string
	Offset  uint64
	Data    []byte // empty: tell how far this session is
	// Ended: the node has nothing after Offset+len(Data), and never will.
	Ended bool
}

// Ack says how far a session's stream is safe.
type Ack struct {
	Session string
	Offset  uint64
	// Diverged: what came does not follow from what is safe. The node stops sending this session.
	Diverged bool
	// Retry: it could not be kept now. The node sends again from Offset, later.
	Retry bool
}

// Ingest keeps what nodes ship. Append must be safe for concurrent use.
type Ingest interface {
	// Append keeps the chunks' new bytes (what lies before the safe offset is a
	// duplicate) and returns one Ack for each session among them, after the bytes are
	// safe. An error means that nothing of the batch may be taken as safe.
	Append(ctx context.Context, node string, chunks []Chunk) ([]Ack, error)
}

// ServerOptions of a Server.
type ServerOptions struct {
	Ingest Ingest
	// Authenticate returns the node's proven id, or an error. nil: the id that it claims is taken, for
	// sockets that only our own processes can reach.
	Authenticate func(ctx context.Context, claimed string) (string, error)
	// Owns reports whether a session is the node's: another's is not noted as what the node has, and its end is told elsewhere.
	// nil: any is.
	Owns func(node, session string) bool
	// Initial gives what each node is told when it connects, for example all
	// revoked credentials: a node that was away missed their EndByToken.
	Initial func(node string) []Control
	Log     *slog.Logger // nil: discard
}

// Server is the control plane's end. It also is the hub through which sessions on the
// connected nodes are ended.
type Server struct {
	opt ServerOptions

	mu       sync.Mutex
	peers    map[*peer]struct{}
	sessions map[string]*peer // who ships a session now
}

// peer is one connected node.
type peer struct {
	node    string
	control chan Control
	gone    <-chan struct{}
}

// NewServer makes a Server; Register puts it on a gRPC server.
func NewServer(opt ServerOptions) *Server {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{opt: opt, peers: map[*peer]struct{}{}, sessions: map[string]*peer{}}
}

// Register puts the service on a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { r.RegisterService(&serviceDesc, s) }

// connect serves one node.
func (s *Server) connect(stream connectServer) error {
	node, err := s.hello(stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	p := &peer{node: node, control: make(chan Control, 64), gone: ctx.Done()}
	s.join(p)
	defer s.leave(p)
	if err := stream.Send(welcome(record.Version)); err != nil {
		return err
	}
	if s.opt.Initial != nil {
		for _, c := range s.opt.Initial(node) {
			if err := stream.Send(c.message()); err != nil {
				return err
			}
		}
	}
	s.opt.Log.Info("node connected", "node", node)
	err = s.serve(ctx, stream, p)
	s.opt.Log.Info("node disconnected", "node", node, "error", err)
	return err
}

func (s *Server) hello(stream connectServer) (string, error) {
	m, err := stream.Recv()
	if err != nil {
		return "", err
	}
	h := m.GetHello()
	switch {
	case h == nil:
		return "", status.Error(codes.InvalidArgument, "the first message must be a hello")
	case h.Format != record.Version:
		return "", status.Errorf(codes.FailedPrecondition, "record format %d is not known here (%d is)", h.Format, record.Version)
	}
	if s.opt.Authenticate == nil {
		return h.Node, nil
	}
	node, err := s.opt.Authenticate(stream.Context(), h.Node)
	if err != nil {
		s.opt.Log.Warn("node refused", "node", h.Node, "error", err)
		return "", status.Error(codes.PermissionDenied, "this node is not known")
	}
	return node, nil
}

func (s *Server) join(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers[p] = struct{}{}
}

func (s *Server) leave(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
	for id, q := range s.sessions {
		if q == p {
			delete(s.sessions, id)
		}
	}
}

// note keeps who ships which session, from its first sign of life on.
func (s *Server) note(p *peer, c Chunk) {
	if s.opt.Owns != nil && !s.opt.Owns(p.node, c.Session) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Ended {
		delete(s.sessions, c.Session)
	} else if _, there := s.peers[p]; there { // it may have gone in between
		s.sessions[c.Session] = p
	}
}

// serve receives, keeps and acknowledges, and sends down what others ask for. That does not wait for what is being
// kept: a session is to end at once, however much its node ships.
func (s *Server) serve(ctx context.Context, stream connectServer, p *peer) error {
	ctx, cancel := context.WithCancel(ctx)
	in := make(chan Chunk, queued)
	failed := make(chan error, 2)
	out := &sender{stream: stream}
	go func() { failed <- s.receive(ctx, stream, p, in) }()
	told := make(chan struct{})
	go func() { defer close(told); failed <- tell(ctx, out, p) }()
	defer func() { cancel(); <-told }() // nobody sends on a stream that is over
	for {
		select {
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case c := <-in:
			if err := s.keep(ctx, out, p, gather(c, in)); err != nil {
				return err
			}
		}
	}
}

// sender sends for several goroutines.
type sender struct {
	mu     sync.Mutex
	stream connectServer
}

func (s *sender) send(m *shippb.ControlMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Send(m)
}

// tell sends down what others ask for.
func tell(ctx context.Context, out *sender, p *peer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-p.control:
			if err := out.send(c.message()); err != nil {
				return err
			}
		}
	}
}

func (s *Server) receive(ctx context.Context, stream connectServer, p *peer, in chan<- Chunk) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		c, err := chunk(m)
		if err != nil {
			return err
		}
		s.note(p, c)
		select {
		case in <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func chunk(m *shippb.NodeMessage) (Chunk, error) {
	var c Chunk
	switch m := m.Message.(type) {
	case *shippb.NodeMessage_Data:
		c = Chunk{Session: m.Data.GetSession(), Offset: m.Data.GetOffset(), Data: m.Data.GetData()}
	case *shippb.NodeMessage_Ended:
		c = Chunk{Session: m.Ended.GetSession(), Offset: m.Ended.GetOffset(), Ended: true}
	default:
		return c, status.Error(codes.InvalidArgument, "unknown message")
	}
	if !record.ValidSession(c.Session) || c.Offset > 1<<62 {
		return c, status.Error(codes.InvalidArgument, "session id or offset is not valid")
	}
	return c, nil
}

// gather takes what waits already.
func gather(first Chunk, in <-chan Chunk) []Chunk {
	batch, n := []Chunk{first}, len(first.Data)
	for len(batch) < batchPieces && n < batchBytes {
		select {
		case c := <-in:
			batch = append(batch, c)
			n += len(c.Data)
		default:
			return batch
		}
	}
	return batch
}

func (s *Server) keep(ctx context.Context, out *sender, p *peer, chunks []Chunk) error {
	acks, err := s.opt.Ingest.Append(ctx, p.node, chunks)
	if err != nil {
		s.opt.Log.Error("records are not kept", "node", p.node, "error", err)
		return status.Error(codes.Unavailable, "records cannot be kept now")
	}
	for _, a := range acks {
		if err := out.send(a.message()); err != nil {
			return err
		}
	}
	return nil
}

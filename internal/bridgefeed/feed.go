// Package bridgefeed tells bridges on other nodes what Envoys are told by xDS: which targets are theirs, and the policy in
// force. It owns the service on the control connection and both ends of it. Which files a target needs on the bridge's machine is
// the Document's matter; it holds no target's credentials: those come at a session's opening.
package bridgefeed

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The service has two methods. Follow is asked with the node's name, and a Document (JSON) comes at once and whenever it
// has changed; Report brings a Report (JSON), now and then.
const (
	serviceName  = "dragoman.bridge.v1.Bridge"
	followMethod = "/" + serviceName + "/Follow"
	reportMethod = "/" + serviceName + "/Report"
)

// maxDocument bounds a Document, in bytes: most of it is the policy.
const maxDocument = 64 << 20

// ServerOptions of a Server. All must be set.
type ServerOptions struct {
	// Authenticate names the node that calls, by what its connection proves; claimed is who it says that it is.
	Authenticate func(ctx context.Context, claimed string) (string, error)
	// Document is a node's, nil before there is one.
	Document func(node string) ([]byte, error)
	Log      *slog.Logger
}

// Server is the control plane's end.
type Server struct {
	opt ServerOptions

	mu      sync.Mutex
	changed chan struct{} // closed when documents may have changed
	bridges map[string]*bridge
}

// NewServer makes a Server.
func NewServer(opt ServerOptions) *Server {
	return &Server{opt: opt, changed: make(chan struct{}), bridges: map[string]*bridge{}}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(g *grpc.Server) { g.RegisterService(&serviceDesc, s) }

// Changed has every bridge's document made again; who has it already is not told.
func (s *Server) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Server) follow(claimed string, stream grpc.ServerStream) error {
	node, err := s.opt.Authenticate(stream.Context(), claimed)
	if err != nil {
		s.opt.Log.Warn("a bridge is refused", "err", err)
		return status.Error(codes.PermissionDenied, err.Error())
	}
	s.opt.Log.Info("a bridge follows", "node", node)
	s.note(node, func(b *bridge) { b.streams++; b.since = time.Now() })
	defer s.note(node, func(b *bridge) { b.streams-- })
	var last []byte
	for {
		changed := s.wait()
		doc, err := s.opt.Document(node)
		switch {
		case err != nil:
			s.opt.Log.Error("a bridge's document; the last one stays", "node", node, "err", err)
		case doc != nil && !bytes.Equal(doc, last):
			if err := stream.SendMsg(wrapperspb.Bytes(doc)); err != nil {
				return err
			}
			last = doc
			s.note(node, func(b *bridge) { b.sent = Digest(doc) })
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

type service interface {
	follow(claimed string, stream grpc.ServerStream) error
	reported(ctx context.Context, raw []byte) error
}

var followDesc = grpc.StreamDesc{
	StreamName: "Follow",
	Handler: func(srv any, stream grpc.ServerStream) error {
		var claimed wrapperspb.StringValue
		if err := stream.RecvMsg(&claimed); err != nil {
			return err
		}
		return srv.(service).follow(claimed.Value, stream)
	},
	ServerStreams: true,
}

var serviceDesc = grpc.ServiceDesc{ServiceName: serviceName, HandlerType: (*service)(nil), Streams: []grpc.StreamDesc{followDesc}, Methods: []grpc.MethodDesc{reportDesc}}

// Back-off of a bridge that has lost the control plane.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Follow gives take each document, in order, until ctx ends. It connects again when the control plane was away.
func Follow(ctx context.Context, conn *grpc.ClientConn, node string, log *slog.Logger, take func([]byte) error) {
	pause := firstPause
	for ctx.Err() == nil {
		err := once(ctx, conn, node, func(b []byte) error { pause = firstPause; return take(b) })
		if ctx.Err() != nil {
			return
		}
		log.Warn("the control plane is away; what was told last stays in force", "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

func once(ctx context.Context, conn *grpc.ClientConn, node string, take func([]byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &followDesc, followMethod, grpc.MaxCallRecvMsgSize(maxDocument))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(wrapperspb.String(node)); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var doc wrapperspb.BytesValue
		if err := stream.RecvMsg(&doc); err != nil {
			return err
		}
		if err := take(doc.Value); err != nil {
			return err
		}
	}
}

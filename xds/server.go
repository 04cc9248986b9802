package xds

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/log"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/xds/snapshot"
)

// Options of a Server; all must be set.
type Options struct {
	Config   *config.Config
	ReadFile snapshot.ReadFile
	Now      func() time.Time
	Log      *slog.Logger
}

// Server is the ADS server.
type Server struct {
	// Embedded so that the state-of-the-world method answers "unimplemented".
	discovery.UnimplementedAggregatedDiscoveryServiceServer

	opt   Options
	ids   identities
	cache cache.SnapshotCache
	delta delta.Server

	applying sync.Mutex    // one Apply at a time
	bundle   policy.Bundle // of the last Apply

	mu      sync.Mutex
	changed *sync.Cond
	nodes   map[string]*node  // by name
	streams map[int64]*stream // open ones
	applied map[string]*snapshot.Snapshot
}

var _ discovery.AggregatedDiscoveryServiceServer = (*Server)(nil)

// NewServer makes a server that has nothing to give until Apply. ctx ends its streams.
func NewServer(ctx context.Context, o Options) *Server {
	s := &Server{
		opt:     o,
		ids:     identitiesOf(o.Config),
		cache:   cache.NewSnapshotCache(true, cache.IDHash{}, logTo(o.Log)),
		nodes:   map[string]*node{},
		streams: map[int64]*stream{},
		applied: map[string]*snapshot.Snapshot{},
	}
	s.changed = sync.NewCond(&s.mu)
	for _, name := range o.Config.NodeNames() {
		s.nodes[name] = newNode(name)
	}
	s.delta = delta.NewServer(ctx, s.cache, callbacks{s})
	return s
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	discovery.RegisterAggregatedDiscoveryServiceServer(r, s)
}

// DeltaAggregatedResources implements the service for Envoys.
func (s *Server) DeltaAggregatedResources(str discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.delta.DeltaStreamHandler(str, resource.AnyType)
}

// Apply builds the snapshots of all nodes and, when every one is good, sets them. A
// node whose snapshot did not change hears nothing.
func (s *Server) Apply(ctx context.Context, cfg *config.Config, bundle policy.Bundle) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.apply(ctx, cfg, bundle); err != nil {
		return err
	}
	s.bundle = bundle
	return nil
}

// Refresh applies the last bundle again, so that files which changed (renewed
// certificates) reach the nodes.
func (s *Server) Refresh(ctx context.Context, cfg *config.Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.apply(ctx, cfg, s.bundle)
}

func (s *Server) apply(ctx context.Context, cfg *config.Config, bundle policy.Bundle) error {
	built := map[string]*snapshot.Snapshot{}
	for _, name := range s.opt.Config.NodeNames() {
		snap, err := snapshot.Build(cfg, bundle, name, s.opt.ReadFile)
		if err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
		built[name] = snap
	}
	for name, snap := range built {
		c, err := snap.Cache()
		if err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
		s.setWanted(name, snap, bundle.Revision)
		if err := s.cache.SetSnapshot(ctx, name, c); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	return nil
}

// Listeners are the names of the listeners that a node was last given.
func (s *Server) Listeners(nodeName string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	if snap := s.applied[nodeName]; snap != nil {
		for _, l := range snap.Listeners {
			names = append(names, cache.GetResourceName(l))
		}
	}
	return names
}

// callbacks connects go-control-plane's stream events to the server.
type callbacks struct{ s *Server }

func (c callbacks) OnDeltaStreamOpen(ctx context.Context, id int64, _ string) error {
	name, err := c.s.ids.callerOf(ctx)
	if err != nil {
		c.s.opt.Log.Warn("xds: a stream is refused", "err", err)
		return status.Error(codes.PermissionDenied, err.Error())
	}
	if !c.s.opened(id, name) {
		c.s.opt.Log.Warn("xds: a stream is refused: the node has too many", "node", name)
		return status.Error(codes.ResourceExhausted, "too many streams of this node")
	}
	return nil
}

// OnStreamDeltaRequest runs before the request is looked at: here a node that
// claims another's name is refused, on every request that claims one.
func (c callbacks) OnStreamDeltaRequest(id int64, req *discovery.DeltaDiscoveryRequest) error {
	if err := c.s.claimed(id, req.GetNode()); err != nil {
		c.s.opt.Log.Warn("xds: a stream is refused", "err", err)
		return status.Error(codes.PermissionDenied, err.Error())
	}
	if !slices.Contains(served, req.GetTypeUrl()) { // it would be kept for as long as the stream is there
		c.s.opt.Log.Warn("xds: a stream is refused: it asks for what is not served", "type", shortURL(req.GetTypeUrl()[:min(len(req.GetTypeUrl()), 200)]))
		return status.Error(codes.InvalidArgument, "no such type is served")
	}
	if err := c.s.subscribes(id, req); err != nil {
		c.s.opt.Log.Warn("xds: a stream is refused", "err", err)
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	c.s.answered(id, req)
	return nil
}

// served are the types that a snapshot has, and those of which Envoys may ask although there are none.
var served = []string{resource.ListenerType, resource.ClusterType, resource.SecretType, resource.ExtensionConfigType,
	resource.EndpointType, resource.RouteType, resource.ScopedRouteType, resource.VirtualHostType, resource.RuntimeType}

func (c callbacks) OnStreamDeltaResponse(id int64, _ *discovery.DeltaDiscoveryRequest, resp *discovery.DeltaDiscoveryResponse) {
	c.s.sent(id, resp)
}

func (c callbacks) OnDeltaStreamClosed(id int64, _ *core.Node) { c.s.closed(id) }

// logTo folds go-control-plane's log into ours; its debug lines go nowhere.
func logTo(l *slog.Logger) log.Logger {
	return log.LoggerFuncs{
		WarnFunc:  func(f string, a ...any) { l.Warn("xds: " + fmt.Sprintf(f, a...)) },
		ErrorFunc: func(f string, a ...any) { l.Error("xds: " + fmt.Sprintf(f, a...)) },
	}
}

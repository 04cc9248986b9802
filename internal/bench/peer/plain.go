package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/localserver"
)

const (
	// bufferLimit is the one that xds/snapshot sets on both sides.
	bufferLimit    = 256 << 10
	maxConnections = 4096
)

// StartPlain starts an Envoy without our module: one listener, tcp_proxy, one
// cluster, with the settings that our own listener has.
func StartPlain(ctx context.Context, tools string, d *Database) (*Peer, error) {
	binary, err := envoy.Ensure(ctx, tools, envoy.Version)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-envoy-")
	if err != nil {
		return nil, err
	}
	p, err := startPlain(ctx, binary, dir, d)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func startPlain(ctx context.Context, binary, dir string, d *Database) (*Peer, error) {
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	b, err := plainBootstrap(filepath.Join(dir, "admin.sock"), port, d.Server.Port)
	if err != nil {
		return nil, err
	}
	raw, err := envoy.MarshalBootstrap(b)
	if err != nil {
		return nil, err
	}
	file, log := filepath.Join(dir, "bootstrap.json"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "--config-path", file, "--disable-hot-restart", "--concurrency", strconv.Itoa(Workers), "--log-level", "warn")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := start(ctx, cmd, log, localserver.Answers(fmt.Sprintf("127.0.0.1:%d", port)))
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: Plain, Place: d.place(), Proxy: c.PID()}
	p.Port = port
	p.stop = func() error { return errors.Join(c.end(), os.RemoveAll(dir)) }
	return p, nil
}

func plainBootstrap(admin string, listen, upstream int) (*bootstrapv3.Bootstrap, error) {
	proxy, err := anypb.New(&tcpv3.TcpProxy{
		StatPrefix:       "plain",
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "postgres"},
		IdleTimeout:      durationpb.New(0),
	})
	if err != nil {
		return nil, err
	}
	most := wrapperspb.UInt32(maxConnections)
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "plain", Cluster: "bench"},
		Admin: &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_Pipe{
			Pipe: &corev3.Pipe{Path: admin, Mode: 0o600}}}},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: []*listenerv3.Listener{{
				Name:                          "plain",
				Address:                       loopback(listen),
				PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
				TcpBacklogSize:                wrapperspb.UInt32(4096),
				FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
					Name:       "envoy.filters.network.tcp_proxy",
					ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: proxy},
				}}}},
			}},
			Clusters: []*clusterv3.Cluster{{
				Name:                          "postgres",
				ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
				PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
				CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
					MaxConnections: most, MaxPendingRequests: most, MaxRequests: most}}},
				LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: "postgres",
					Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
						HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: loopback(upstream)}}}}}}},
			}},
		},
	}, nil
}

func loopback(port int) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)}}}}
}

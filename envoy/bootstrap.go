package envoy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	downstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

// BootstrapOptions are what a bootstrap needs to know.
type BootstrapOptions struct {
	Node    string // node id
	Cluster string // node cluster; "" is "dragoman"
	// ADS is where the control plane serves it: unix:///path or host:port, several replicas with commas between them.
	// Over host:port, TLS is required.
	ADS string
	TLS TLSFiles
	// AdminSocket is the path of the unix socket for the admin endpoint, which is
	// never on a port.
	AdminSocket string
	// MaxConnections is the limit of client connections of all listeners
	// together; 0 is 20,000.
	MaxConnections int64
	// MaxHeap is where Envoy stops accepting, bytes; 0 means no limit.
	MaxHeap uint64
}

// TLSFiles are paths on the machine where Envoy runs.
type TLSFiles struct {
	CA, Cert, Key string
	// Server is the SPIFFE ID or DNS name that the control plane must prove; ""
	// is the host of the address.
	Server string
}

const (
	defaultNodeCluster    = "dragoman"
	defaultMaxConnections = 20_000
	// ADSCluster is the name of the static cluster of the control plane.
	ADSCluster = nodeconfig.ControlCluster
)

// Bootstrap builds the bootstrap: delta ADS for listeners and clusters, the admin
// endpoint, and limits. All else comes over ADS.
func Bootstrap(o BootstrapOptions) (*bootstrapv3.Bootstrap, error) {
	if o.Node == "" || o.ADS == "" || o.AdminSocket == "" {
		return nil, errors.New("bootstrap: node, ADS address and admin socket are needed")
	}
	ads, err := adsCluster(o)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	overload, err := overloadManager(o)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if o.Cluster == "" {
		o.Cluster = defaultNodeCluster
	}
	return &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: o.Node, Cluster: o.Cluster},
		Admin:           &bootstrapv3.Admin{Address: pipe(o.AdminSocket, 0o600)},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{ads}},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: &corev3.ApiConfigSource{
				ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion:       corev3.ApiVersion_V3,
				SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: ADSCluster},
				}}},
			},
			LdsConfig: overADS(),
			CdsConfig: overADS(),
		},
		OverloadManager: overload,
		LayeredRuntime:  runtime(),
	}, nil
}

// MarshalBootstrap gives the JSON that Envoy reads, the same bytes for the same
// bootstrap.
func MarshalBootstrap(b *bootstrapv3.Bootstrap) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	// protojson varies its spaces on purpose.
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func adsCluster(o BootstrapOptions) (*clusterv3.Cluster, error) {
	options, err := anypb.New(&httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
						ConnectionKeepalive: &corev3.KeepaliveSettings{
							Interval: durationpb.New(30 * time.Second),
							Timeout:  durationpb.New(10 * time.Second),
						},
					},
				},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	c := &clusterv3.Cluster{
		Name:                          ADSCluster,
		ConnectTimeout:                durationpb.New(5 * time.Second),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
	}
	addresses, err := adsAddresses(o, c)
	if err != nil {
		return nil, err
	}
	all := &endpointv3.LocalityLbEndpoints{}
	for _, a := range addresses {
		all.LbEndpoints = append(all.LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: a}}})
	}
	c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: ADSCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{all}}
	return c, nil
}

// adsAddresses are those of the control plane's replicas.
func adsAddresses(o BootstrapOptions, c *clusterv3.Cluster) (all []*corev3.Address, err error) {
	if path, ok := strings.CutPrefix(o.ADS, "unix://"); ok {
		return []*corev3.Address{pipe(path, 0)}, nil
	}
	var hosts []string
	for _, at := range strings.Split(o.ADS, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(at))
		if err != nil {
			return nil, fmt.Errorf("ADS address: %w", err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("ADS address: port %q", port)
		}
		if net.ParseIP(host) == nil {
			c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		}
		hosts = append(hosts, host)
		all = append(all, &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(n)},
		}}})
	}
	c.TransportSocket, err = mutualTLS(o.TLS, hosts)
	return all, err
}

func overloadManager(o BootstrapOptions) (*overloadv3.OverloadManager, error) {
	if o.MaxConnections <= 0 {
		o.MaxConnections = defaultMaxConnections
	}
	connections, err := monitor("envoy.resource_monitors.global_downstream_max_connections",
		&downstreamv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: o.MaxConnections})
	if err != nil {
		return nil, err
	}
	m := &overloadv3.OverloadManager{
		RefreshInterval:  durationpb.New(250 * time.Millisecond),
		ResourceMonitors: []*overloadv3.ResourceMonitor{connections},
	}
	if o.MaxHeap == 0 {
		return m, nil
	}
	heapName := "envoy.resource_monitors.fixed_heap"
	heap, err := monitor(heapName, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: o.MaxHeap})
	if err != nil {
		return nil, err
	}
	m.ResourceMonitors = append(m.ResourceMonitors, heap)
	m.Actions = []*overloadv3.OverloadAction{
		action("envoy.overload_actions.shrink_heap", heapName, 0.9),
		action("envoy.overload_actions.stop_accepting_connections", heapName, 0.95),
	}
	return m, nil
}

func monitor(name string, config proto.Message) (*overloadv3.ResourceMonitor, error) {
	any, err := anypb.New(config)
	if err != nil {
		return nil, err
	}
	return &overloadv3.ResourceMonitor{Name: name,
		ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: any}}, nil
}

func action(name, resource string, at float64) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: name, Triggers: []*overloadv3.Trigger{{
		Name: resource,
		TriggerOneof: &overloadv3.Trigger_Threshold{
			Threshold: &overloadv3.ThresholdTrigger{Value: at},
		},
	}}}
}

func pipe(path string, mode uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path, Mode: mode}}}
}

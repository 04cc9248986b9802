package snapshot

import (
	"fmt"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
)

// RDPCluster is the bridge, for RDP.
const RDPCluster = "dragoman/rdp"

// rdpTarget adds the bridge's cluster, once. TLS begins within RDP, behind its own negotiation, so it is the bridge's.
func (b *builder) rdpTarget() error {
	if b.rdp {
		return nil
	}
	b.rdp = true
	c, err := bridgeCluster(RDPCluster, b.cfg.RDPSocket(b.out.Node))
	if err != nil {
		return err
	}
	b.out.Clusters = append(b.out.Clusters, c)
	return nil
}

// rdpListener hands connections to the bridge as they are.
func rdpListener(listen string, targets []*config.Target) (*listener.Listener, error) {
	addr, err := socketAddress(listen)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if t.TLS.Client != targets[0].TLS.Client {
			return nil, fmt.Errorf("targets %s and %s share a port, but not a certificate: who is meant is known only within TLS", targets[0].Name, t.Name)
		}
	}
	chain, err := bridgeChain(targets[0].Name+"/rdp", RDPCluster, targets, false)
	if err != nil {
		return nil, err
	}
	return &listener.Listener{Name: ListenerName(listen), StatPrefix: "dragoman", Address: addr,
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit), TcpBacklogSize: wrapperspb.UInt32(4096),
		FilterChains: []*listener.FilterChain{chain}}, nil
}

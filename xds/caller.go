package xds

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"dragoman.dev/dragoman/internal/config"
)

// identities maps what a connection proves to a node's name.
type identities struct {
	local    string            // who is on the unix socket
	bySPIFFE map[string]string // URI SAN -> name
}

func identitiesOf(cfg *config.Config) identities {
	ids := identities{local: cfg.Envoy.Node, bySPIFFE: map[string]string{}}
	for _, n := range cfg.Envoy.Nodes {
		ids.bySPIFFE[n.SPIFFE] = n.Name
	}
	return ids
}

// callerOf names the node at the other end: the local one on the unix socket
// (whose file mode says who may connect), any other by the one SPIFFE ID in its
// verified certificate.
func (ids identities) callerOf(ctx context.Context) (string, error) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return "", errors.New("the peer is unknown")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		if p.Addr.Network() == "unix" {
			return ids.local, nil
		}
		return "", errors.New("the peer shows no certificate")
	}
	if len(info.State.VerifiedChains) == 0 {
		return "", errors.New("the peer has no verified certificate")
	}
	uris := info.State.VerifiedChains[0][0].URIs
	if len(uris) != 1 {
		return "", fmt.Errorf("the peer's certificate has %d URI names instead of one", len(uris))
	}
	name, ok := ids.bySPIFFE[uris[0].String()]
	if !ok {
		return "", fmt.Errorf("%s is no node of the config", uris[0])
	}
	return name, nil
}

// Peer names the node that calls, by what its connection proves.
func (s *Server) Peer(ctx context.Context) (string, error) { return s.ids.callerOf(ctx) }

// Caller names the node that calls one of the control plane's services; it is an
// error when the node claims to be another.
func (s *Server) Caller(ctx context.Context, claimed string) (string, error) {
	name, err := s.ids.callerOf(ctx)
	if err == nil && name != claimed {
		err = fmt.Errorf("node %q claims to be %q", name, claimed)
	}
	if err != nil {
		return "", err
	}
	return name, nil
}

package authz

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// NodeFunc names the Envoy that calls, given what it claims to be. What the
// peer cannot claim is an error. It matters because a node vouches for client
// certificates, and gets the credentials of its targets.
type NodeFunc func(ctx context.Context, claimed string) (string, error)

// LocalNode trusts the claim of peers on a unix socket, whose file mode says
// who may connect, and nobody else.
func LocalNode(ctx context.Context, claimed string) (string, error) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil || p.Addr.Network() != "unix" {
		return "", errors.New("authz: the peer is not on the local socket")
	}
	return claimed, nil
}

// MutualTLSNode trusts peers on the unix socket like LocalNode, and others by
// the SPIFFE ID of their verified certificate, which nodeOf maps to a node's name.
func MutualTLSNode(nodeOf func(spiffeID string) (node string, ok bool)) NodeFunc {
	return func(ctx context.Context, claimed string) (string, error) {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return "", errors.New("authz: no peer")
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		if !ok {
			return LocalNode(ctx, claimed)
		}
		if len(info.State.VerifiedChains) == 0 {
			return "", errors.New("authz: the peer has no verified certificate")
		}
		uris := info.State.VerifiedChains[0][0].URIs
		if len(uris) != 1 { // a SPIFFE certificate has exactly one
			return "", fmt.Errorf("authz: the peer's certificate has %d URI names instead of one", len(uris))
		}
		node, ok := nodeOf(uris[0].String())
		if !ok {
			return "", fmt.Errorf("authz: %q is no node of ours", uris[0])
		}
		if claimed != node {
			return "", fmt.Errorf("authz: node %q claims to be %q", node, claimed)
		}
		return node, nil
	}
}

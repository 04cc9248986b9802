package check

import (
	"context"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// Dial makes a connection to the control plane, with DialOptions. control is unix:///path or host:port; several
// replicas are separated by commas: the first that can be reached is used, until it is gone.
func Dial(control string, creds credentials.TransportCredentials) (*grpc.ClientConn, error) {
	opts := append(DialOptions(), grpc.WithTransportCredentials(creds))
	all := Endpoints(control)
	if len(all) < 2 {
		return grpc.NewClient(control, opts...)
	}
	r := manual.NewBuilderWithScheme("replicas")
	var state resolver.State
	for _, a := range all {
		host, _, _ := net.SplitHostPort(a) // "" for a socket, which has no name to prove
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a, ServerName: host}}})
	}
	r.InitialState(state)
	opts = append(opts, grpc.WithResolvers(r), grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer
		if path, ok := strings.CutPrefix(addr, "unix:"); ok {
			return d.DialContext(ctx, "unix", strings.TrimPrefix(path, "//"))
		}
		return d.DialContext(ctx, "tcp", addr)
	}))
	return grpc.NewClient(r.Scheme()+":///"+"control", opts...)
}

// Endpoints are the replicas that a control plane's address names.
func Endpoints(control string) []string {
	var all []string
	for _, a := range strings.Split(control, ",") {
		if a = strings.TrimSpace(a); a != "" {
			all = append(all, a)
		}
	}
	return all
}

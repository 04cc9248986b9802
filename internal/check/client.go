package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
)

// Defaults of Client.
const (
	DefaultOpenTimeout = 10 * time.Second
	// holdGrace is how much longer than the hold's deadline the call may take:
	// authz ends the hold by its own clock, and its answer says why.
	holdGrace = 10 * time.Second
	// maxHold is the longest hold (approval.MaxWait); noDeadline bounds one that
	// came without a deadline.
	maxHold    = 24 * time.Hour
	noDeadline = time.Hour
)

// Client asks authz over gRPC. It is safe for concurrent use.
type Client struct {
	authz auth.AuthorizationClient
	now   func() time.Time
	// OpenTimeout bounds an Open whose context has no deadline. A context that
	// has one bounds it instead: an open that policy holds (just-in-time
	// access) needs minutes. Zero means DefaultOpenTimeout. Set it before use.
	OpenTimeout time.Duration
}

var _ Authorizer = (*Client)(nil)

// NewClient returns a Client on a connection made with DialOptions. Now is the
// clock; nil means time.Now.
func NewClient(conn grpc.ClientConnInterface, now func() time.Time) *Client {
	if now == nil {
		now = time.Now
	}
	return &Client{authz: auth.NewAuthorizationClient(conn), now: now}
}

// DialOptions are what a connection for Client needs beside its transport
// credentials: message bounds, and keepalive pings, so that a hold of many minutes
// notices a dead peer.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage+4096), grpc.MaxCallSendMsgSize(MaxMessage+4096)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	}
}

// ServerOptions are the other side of DialOptions.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage + 4096), grpc.MaxSendMsgSize(MaxMessage + 4096),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	}
}

// Open implements Authorizer.
func (c *Client) Open(ctx context.Context, req OpenRequest) (OpenResponse, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		timeout := c.OpenTimeout
		if timeout <= 0 {
			timeout = DefaultOpenTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	q, err := EncodeOpen(req)
	if err != nil {
		return OpenResponse{}, err
	}
	res, err := c.authz.Check(ctx, q)
	if err != nil {
		return OpenResponse{}, asked("opening a session", err)
	}
	opened, err := DecodeOpened(res)
	if err != nil {
		return OpenResponse{}, err
	}
	if err := opened.sound(req); err != nil {
		return OpenResponse{}, err
	}
	return opened, nil
}

// sound refuses an answer that no authz of ours gives.
func (r *OpenResponse) sound(req OpenRequest) error {
	switch {
	case r.Decision.Verdict != policy.Allow:
		return errors.New("check: authz opened a session without an allow")
	case r.Session == "", r.Identity.Subject == "", len(r.Identity.Actors) == 0:
		return errors.New("check: authz opened a session without id or identity")
	case r.Target.Name != req.Target:
		return errors.New("check: authz opened a session on another target")
	}
	return nil
}

// Hold implements Authorizer.
func (c *Client) Hold(ctx context.Context, req HoldRequest) (HoldResponse, error) {
	wait := noDeadline
	if d := req.Hold.Deadline; !d.IsZero() {
		wait = min(d.Sub(c.now()), maxHold)
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, 0)+holdGrace)
	defer cancel()
	q, err := EncodeHold(req)
	if err != nil {
		return HoldResponse{}, err
	}
	res, err := c.authz.Check(ctx, q)
	if err != nil {
		return HoldResponse{}, asked("holding an action", err)
	}
	held, err := DecodeHeld(res)
	if err != nil {
		return HoldResponse{}, err
	}
	if held.State == hold.Used && (held.Digest == "" || held.Digest != req.Hold.Digest) {
		return HoldResponse{}, errors.New("check: the approval is for another action")
	}
	return held, nil
}

// asked keeps the status code and gRPC's own text, which names the transport
// and never the message.
func asked(doing string, err error) error {
	return fmt.Errorf("check: %s: authz: %s: %w", doing, status.Code(err), err)
}

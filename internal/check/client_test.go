package check

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
)

func stringKind(s string) *structpb.Value_StringValue {
	return &structpb.Value_StringValue{StringValue: s}
}

// answering is an authz that answers as told.
type answering func(context.Context, Question) (*auth.CheckResponse, error)

func (a answering) Check(ctx context.Context, req *auth.CheckRequest) (*auth.CheckResponse, error) {
	q, err := DecodeQuestion(req)
	if err != nil {
		return nil, err
	}
	return a(ctx, q)
}

func dial(t *testing.T, a answering) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(ServerOptions()...)
	auth.RegisterAuthorizationServer(srv, a)
	go srv.Serve(l)
	conn, err := grpc.NewClient("unix://"+path, append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); srv.Stop() })
	return NewClient(conn, nil)
}

func TestClientOpen(t *testing.T) {
	c := dial(t, func(_ context.Context, q Question) (*auth.CheckResponse, error) {
		switch q.Open.Node {
		case "no":
			return EncodeRefusal(&Refusal{Code: CodeForbidden, Message: "no"})
		case "other":
			o := sampleOpened()
			o.Target.Name = "other"
			return EncodeOpened(o)
		case "block":
			o := sampleOpened()
			o.Decision.Verdict = policy.Block
			return EncodeOpened(o)
		case "nobody":
			return EncodeOpened(OpenResponse{Session: "x", Decision: policy.Decision{Verdict: policy.Allow}, Target: policy.Target{Name: "shop"}})
		}
		return EncodeOpened(sampleOpened())
	})
	if res, err := c.Open(t.Context(), sampleOpen()); err != nil || res.Credentials.Password != "s3cret-password" {
		t.Fatal(res, err)
	}
	var r *Refusal
	for _, node := range []string{"no", "other", "block", "nobody"} {
		req := sampleOpen()
		req.Node = node
		res, err := c.Open(t.Context(), req)
		if err == nil || res.Session != "" || errors.As(err, &r) != (node == "no") {
			t.Errorf("%s: %v %v", node, res, err)
		}
	}
}

func TestClientUnreachable(t *testing.T) {
	conn, err := grpc.NewClient("unix://"+filepath.Join(t.TempDir(), "none"), append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = NewClient(conn, nil).Open(t.Context(), sampleOpen())
	var r *Refusal
	if err == nil || errors.As(err, &r) || strings.Contains(err.Error(), "s3cret") {
		t.Fatal(err)
	}
}

func TestClientHold(t *testing.T) {
	entered, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	c := dial(t, func(ctx context.Context, q Question) (*auth.CheckResponse, error) {
		switch q.Hold.Node {
		case "wait":
			entered <- struct{}{}
			<-ctx.Done()
			gone <- struct{}{}
			return nil, ctx.Err()
		case "swap":
			return EncodeHeld(HoldResponse{State: hold.Used, Digest: "other"})
		}
		return EncodeHeld(HoldResponse{State: hold.Used, Digest: q.Hold.Hold.Digest})
	})
	h := hold.Hold{ID: "hld_1", Digest: "d", Deadline: time.Now().Add(time.Minute), Rule: strings.Repeat("x", 5<<20)}
	if res, err := c.Hold(t.Context(), HoldRequest{Hold: h}); err != nil || res.State != hold.Used {
		t.Fatal(res, err)
	}
	if res, err := c.Hold(t.Context(), HoldRequest{Node: "swap", Hold: h}); err == nil || res.State == hold.Used {
		t.Fatal("an approval for another digest passed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-entered
		cancel()
	}()
	if _, err := c.Hold(ctx, HoldRequest{Node: "wait", Hold: h}); err == nil {
		t.Fatal("no error")
	}
	select {
	case <-gone:
	case <-time.After(60 * time.Second):
		t.Fatal("authz does not see that the caller has gone")
	}
}

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"net"
)

// memory is a figure of the gateway's Envoy from its /proc status, in KiB: VmRSS, VmHWM.
func (g *gateway) memory(figure string) int {
	g.t.Helper()
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		line, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(line, []byte(g.dir)) || !bytes.Contains(line, []byte("envoy\x00")) {
			continue
		}
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "status"))
		for l := range strings.Lines(string(b)) {
			if name, rest, _ := strings.Cut(l, ":"); name == figure {
				n, _ := strconv.Atoi(strings.Fields(rest)[0])
				return n
			}
		}
	}
	g.t.Fatal("no Envoy")
	return 0
}

// TestHTTPBig: a body of 1 GiB streams in either direction in bounded memory; the record has the head and says so.
func TestHTTPBig(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), ", http: {recorded_body: 4MiB}", flowPolicy)
	token := g.token("agents")
	n := int64(1 << 30)
	if testing.Short() {
		n = 64 << 20
	}
	ask(t, token, "GET", url+"/big?n=50000000", "")
	before := g.memory("VmRSS")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, way := range []string{"down", "up"} {
		start := time.Now()
		req, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/big?n=%d", url, n), nil)
		if way == "up" {
			req, _ = http.NewRequestWithContext(ctx, "POST", url+"/sink", io.LimitReader(zeros{}, n))
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if way == "down" {
			if got, err := io.Copy(io.Discard, res.Body); err != nil || got != n {
				t.Fatal(got, err)
			}
		} else if b, err := io.ReadAll(res.Body); err != nil || !strings.HasPrefix(string(b), fmt.Sprint(n)) {
			t.Fatal(string(b), err)
		}
		res.Body.Close()
		more := g.memory("VmHWM") - before
		t.Logf("%s: %d MiB in %v, Envoy's peak grew by %d KiB", way, n>>20, time.Since(start).Round(time.Millisecond), more)
		if more > 32<<10 {
			t.Errorf("%d KiB of memory for one body", more)
		}
	}
	g.replay(g.webSessions()[0], fmt.Sprintf("4194304 of %d bytes", n))
}

// TestHTTPGRPC: calls and their trailers over HTTP/2 on both sides; a refused call has a status that gRPC understands.
func TestHTTPGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	h := health.NewServer()
	healthpb.RegisterHealthServer(srv, h)
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	g, url := httpGateway(t, l.Addr().String(), `, http: {version: "2"}`, flowPolicy)
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client := healthpb.NewHealthClient(conn)
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
	in := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+g.token("agents"))
	if res, err := client.Check(in, &healthpb.HealthCheckRequest{}); err != nil || res.Status != healthpb.HealthCheckResponse_SERVING {
		t.Error(res, err)
	}
	if _, err := client.Check(in, &healthpb.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	watch, err := client.Watch(in, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING} {
		res, err := watch.Recv()
		if err != nil || res.Status != want {
			t.Fatal(res, err)
		}
		h.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	}
	out := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+g.token("strangers"))
	if _, err := client.Check(out, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Error(err)
	}
	g.replay(g.webSessions()[0], "/grpc.health.v1.Health/Check", "grpc-status: 0")
}

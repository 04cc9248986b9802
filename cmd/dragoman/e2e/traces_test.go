package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"dragoman.dev/dragoman/internal/notify"
	"dragoman.dev/dragoman/internal/pgserver"
)

// spanCollector is a receiver of the published OTLP service for traces.
type spanCollector struct {
	coltrace.UnimplementedTraceServiceServer
	mu   sync.Mutex
	all  []*trace.Span
	node map[string]string // by span id: the gateway whose Envoy made it
}

func (c *spanCollector) Export(_ context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.all = append(c.all, ss.Spans...)
			for _, a := range rs.Resource.GetAttributes() {
				for _, s := range ss.Spans {
					if a.Key == "dragoman.node" {
						c.node[string(s.SpanId)] = a.Value.GetStringValue()
					}
				}
			}
		}
	}
	return &coltrace.ExportTraceServiceResponse{}, nil
}

// of are the spans of a session.
func (c *spanCollector) of(session string) (all []*trace.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.all {
		for _, a := range s.Attributes {
			if a.Key == "session.id" && a.Value.GetStringValue() == session {
				all = append(all, s)
			}
		}
	}
	return all
}

func newSpanCollector(t *testing.T) (*spanCollector, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, s := &spanCollector{node: map[string]string{}}, grpc.NewServer()
	coltrace.RegisterTraceServiceServer(s, c)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return c, l.Addr().String()
}

// TestTraces: a session through a real Envoy is one trace: its opening, its statements, the wait of a hold, and all of it; and the
// session's id, which the trace's follows from, is in what the target saw.
func TestTraces(t *testing.T) {
	c, addr := newSpanCollector(t)
	db, port := clientsDatabase(t, pgserver.Newest), freePort(t)
	g := newGateway(t, setup{
		Config: fmt.Sprintf("audit:\n  otlp: {endpoint: \"%s\", insecure: true, logs: false}\n", addr) +
			"targets:\n" + target("db", port, db, "clients") + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": db.Password + "\n", "policy/rules.yaml": clientsRules},
	}).start()
	r := &rig{g, db, place{Port: port, User: "agent", Password: g.token("clients"), Database: "clients"}}
	conn := r.place.connect(t)
	exec1(t, conn, "SELECT 'traced'")
	w := r.heldExec(t, conn, heldUpdate, "traced", 9)
	time.Sleep(50 * time.Millisecond)
	if err := r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(context.Background(), "SELECT * FROM off_limits"); err == nil {
		t.Fatal("not blocked")
	}
	id := r.sessionWith(t, "traced")
	conn.Close(context.Background())

	want := []string{"hold", "open db", "select db", "session db", "update db"}
	var names []string
	waitFor(60*time.Second, func() bool {
		names = names[:0]
		for _, s := range c.of(id) {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		return slices.Equal(names, want)
	})
	if !slices.Equal(names, want) {
		t.Fatalf("spans %q, want %q", names, want)
	}
	root := notify.SpanID(id, 0, "")
	spans := map[string]*trace.Span{}
	blocked := 0
	for _, s := range c.of(id) {
		if !bytes.Equal(s.TraceId, notify.TraceID(id)) || s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%v", s)
		}
		if s.Status.GetCode() == trace.Status_STATUS_CODE_ERROR {
			blocked++
		}
		spans[s.Name] = s
	}
	if blocked != 1 || !bytes.Equal(spans["session db"].SpanId, root) || !bytes.Equal(spans["update db"].ParentSpanId, root) ||
		!bytes.Equal(spans["open db"].ParentSpanId, root) || !bytes.Equal(spans["hold"].ParentSpanId, spans["update db"].SpanId) {
		t.Errorf("%d refused; %v", blocked, spans)
	}
	waited := time.Duration(spans["hold"].EndTimeUnixNano - spans["hold"].StartTimeUnixNano)
	opened := time.Duration(spans["open db"].EndTimeUnixNano - spans["open db"].StartTimeUnixNano)
	if waited < 50*time.Millisecond || opened <= 0 || opened > time.Minute {
		t.Errorf("the hold took %v, the opening %v", waited, opened)
	}
	t.Logf("opening %v, hold %v, session %v", opened, waited, time.Duration(spans["session db"].EndTimeUnixNano-spans["session db"].StartTimeUnixNano))
	seen, err := os.ReadFile(db.LogFile())
	if err != nil || !strings.Contains(string(seen), id) {
		t.Error("the target does not see the session's id")
	}
}

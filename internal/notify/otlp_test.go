package notify

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// collector is a receiver of the published OTLP services, over real gRPC.
type collector struct {
	collogs.UnimplementedLogsServiceServer
	mu    sync.Mutex
	logs  []*collogs.ExportLogsServiceRequest
	spans []*coltrace.ExportTraceServiceRequest
	auth  []string
	fail  error
}

// traces is the collector's other service; both have a method Export.
type traces struct {
	coltrace.UnimplementedTraceServiceServer
	c *collector
}

func (c *collector) Export(ctx context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	c.auth = append(c.auth, md.Get("authorization")...)
	if c.fail != nil {
		return nil, c.fail
	}
	c.logs = append(c.logs, r)
	return &collogs.ExportLogsServiceResponse{}, nil
}

func (t traces) Export(_ context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.spans = append(t.c.spans, r)
	return &coltrace.ExportTraceServiceResponse{PartialSuccess: &coltrace.ExportTracePartialSuccess{RejectedSpans: 1}}, nil
}

func newCollector(t *testing.T) (*collector, *OTLP) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, s := &collector{}, grpc.NewServer()
	collogs.RegisterLogsServiceServer(s, c)
	coltrace.RegisterTraceServiceServer(s, traces{c: c})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return c, &OTLP{Conn: conn, Logs: true, Traces: true, Service: "dragoman", Version: "v1", Instance: "host", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Headers: func(context.Context) (map[string]string, error) {
			return map[string]string{"authorization": "Bearer x"}, nil
		}}
}

var base = time.Unix(1_790_000_000, 0)

func sample() []export.Event {
	id := identity.New("user:alice@example.com", "agent:bot\xff")
	open := record.Open{Session: policy.Session{ID: "ses_1", Started: base, Client: "127.0.0.1:1"}, Target: policy.Target{Name: "shop", Protocol: "postgres"}, Identity: id}
	act := func(v policy.Verdict) *record.ActionPayload {
		return &record.ActionPayload{Action: action.Action{Kind: "sql", Verbs: []string{"update"}, Text: "UPDATE t SET x = '\xff'"}, Decision: policy.Decision{Verdict: v, Rule: "r"}}
	}
	return []export.Event{
		{ID: "ses_1/0", Kind: export.SessionOpened, Time: base, Session: "ses_1", Open: open},
		{ID: "ses_1/4", Kind: export.ActionEnded, Time: base.Add(3 * time.Second), Began: base.Add(time.Second), Session: "ses_1", Open: open, Ordinal: 1, Action: act(policy.Hold),
			Hold: &hold.Hold{ID: "hld_1", State: hold.Used, Created: base.Add(time.Second), Ended: base.Add(2 * time.Second)}, Result: &record.Result{Status: "ok", Rows: 2}},
		{ID: "ses_1/6", Kind: export.ActionEnded, Time: base.Add(4 * time.Second), Began: base.Add(4 * time.Second), Session: "ses_1", Open: open, Ordinal: 2, Action: act(policy.Block),
			Result: &record.Result{Status: "blocked", Message: "no"}},
		{ID: "ses_1/7", Kind: export.SessionClosed, Time: base.Add(5 * time.Second), Session: "ses_1", Open: open, Close: &record.Close{Reason: "client"}},
	}
}

func attribute(list []*common.KeyValue, name string) string {
	for _, a := range list {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func TestOTLP(t *testing.T) {
	c, o := newCollector(t)
	if err := o.Send(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	records := c.logs[0].ResourceLogs[0].ScopeLogs[0].LogRecords
	if len(records) != 4 || attribute(c.logs[0].ResourceLogs[0].Resource.Attributes, "service.name") != "dragoman" || c.auth[0] != "Bearer x" {
		t.Fatal(c.logs, c.auth)
	}
	for i, want := range []struct{ name, severity, id string }{
		{"dragoman.session.opened", "INFO", "ses_1/0"}, {"dragoman.action.ended", "INFO", "ses_1/4"}, {"dragoman.action.ended", "WARN", "ses_1/6"}, {"dragoman.session.closed", "INFO", "ses_1/7"},
	} {
		r := records[i]
		if r.EventName != want.name || r.SeverityText != want.severity || attribute(r.Attributes, "dragoman.event.id") != want.id || attribute(r.Attributes, "session.id") != "ses_1" {
			t.Errorf("%v", r)
		}
		if hex.EncodeToString(r.TraceId) != hex.EncodeToString(TraceID("ses_1")) || len(r.SpanId) != 8 {
			t.Errorf("%x %x", r.TraceId, r.SpanId)
		}
	}
	spans := c.spans[0].ResourceSpans[0].ScopeSpans[0].Spans
	var names []string
	byID := map[string]string{}
	for _, s := range spans {
		names = append(names, s.Name)
		byID[string(s.SpanId)] = s.Name
		if s.EndTimeUnixNano < s.StartTimeUnixNano || attribute(s.Attributes, "session.id") != "ses_1" {
			t.Error(s)
		}
	}
	if len(byID) != 5 || len(spans) != 5 {
		t.Fatal(names)
	}
	for _, s := range spans {
		parent := byID[string(s.ParentSpanId)]
		if want := map[string]string{"update shop": "session shop", "open shop": "session shop", "hold": "update shop", "session shop": ""}[s.Name]; parent != want {
			t.Errorf("%s is in %q, want %q", s.Name, parent, want)
		}
	}
	if d := spans[2].EndTimeUnixNano - spans[2].StartTimeUnixNano; spans[2].Name != "hold" || d != uint64(time.Second) {
		t.Error("the hold waited", d)
	}
}

// TestOTLPFailures: what passes is tried again, what stays is not.
func TestOTLPFailures(t *testing.T) {
	c, o := newCollector(t)
	for code, rejected := range map[codes.Code]bool{codes.Unavailable: false, codes.ResourceExhausted: false, codes.Unauthenticated: false, codes.InvalidArgument: true} {
		c.mu.Lock()
		c.fail = status.Error(code, "x")
		c.mu.Unlock()
		if err := o.Send(t.Context(), sample()); err == nil || errors.Is(err, ErrRejected) != rejected {
			t.Error(code, err)
		}
	}
}

// TestCollectorDelivers: from a real store over the outbox to a real receiver that fails first.
func TestCollectorDelivers(t *testing.T) {
	c, o := newCollector(t)
	c.fail = status.Error(codes.Unavailable, "later")
	r := &rig{t: t, kind: newFile(t), dir: t.TempDir(), sinks: []Sink{o}}
	r.start()
	r.act("user:a", 10)
	eventually(t, "it was tried", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.auth) > 1 })
	c.mu.Lock()
	c.fail = nil
	c.mu.Unlock()
	count := func() (n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, l := range c.logs {
			n += len(l.ResourceLogs[0].ScopeLogs[0].LogRecords)
		}
		return n
	}
	eventually(t, "all are there", func() bool { return count() == 11 })
	r.end()
}

// TestSignature: a fixed vector, and the receiver's code of docs/telemetry.md.
func TestSignature(t *testing.T) {
	const secret, at, body = "a-secret-of-20-chars", "1790000000", `{"events":[]}`
	const want = "v1=d56f23f100384742a363f6660c1c17a4aabf890f0da957cdb52a9d2358fb2ad2"
	got := Sign(secret, at, []byte(body))
	if got != want {
		t.Error(got)
	}
	docs, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(docs), "```python\n")
	code, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no code")
	}
	code += `
import sys
secret, at, signature, body = [a.encode() for a in sys.argv[1:5]]
at, signature = at.decode(), signature.decode()
print(verified(secret, at, signature, body, now=1790000100), verified(secret, at, signature, body + b" ", now=1790000100),
      verified(b"another secret ......", at, signature, body, now=1790000100), verified(secret, at, signature, body, now=1790001000))`
	out, err := exec.CommandContext(t.Context(), "python3", "-c", code, secret, at, got, body).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "True False False False" {
		t.Error(err, string(out))
	}
}

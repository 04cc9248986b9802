package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"dragoman.dev/dragoman/internal/notify"
)

// pair is Envoy's span of a request and ours of its action.
type pair struct{ envoy, ours *trace.Span }

// pairs are the requests of a session that were traced, by Envoy's span's name and status code.
func (c *spanCollector) pairs(session string) map[string]pair {
	spans := c.of(session)
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]pair{}
	for _, e := range spans {
		if c.node[string(e.SpanId)] == "" {
			continue
		}
		p := pair{envoy: e}
		for _, s := range spans {
			if bytes.Equal(s.ParentSpanId, e.SpanId) {
				p.ours = s
			}
		}
		all[e.Name+" "+attributeOf(e, "http.status_code")] = p
	}
	return all
}

func attributeOf(s *trace.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// TestTracesHTTP: a request through a real Envoy is in the trace that its sender began, or in one of its own: Envoy's span,
// ours of the action in it, and the target goes on from there; whatever the sender's sampling says.
func TestTracesHTTP(t *testing.T) {
	c, addr := newSpanCollector(t)
	n := nginx(t, "location / { default_type text/plain; return 200 '$http_traceparent'; }", nil)
	g, url := httpGateway(t, n.Addr, "", fmt.Sprintf("audit:\n  otlp: {endpoint: %q, insecure: true, logs: false}\n", addr)+allowHTTP+
		"    - {name: never, verdict: block, reason: no, when: {verbs: [delete]}}\n")
	token := g.token("agents")
	const theirs, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	given := ask(t, token, "GET", url+"/secret-path?q=secret-value", "", "traceparent", "00-"+theirs+"-"+span+"-00")
	own := ask(t, token, "POST", url+"/", "{}")
	blocked := ask(t, token, "DELETE", url+"/", "", "traceparent", "00-"+theirs+"-"+span+"-01")
	if given.StatusCode != 200 || own.StatusCode != 200 || blocked.StatusCode != 403 {
		t.Fatal(given.StatusCode, own.StatusCode, blocked.StatusCode)
	}
	id := g.webSessions()[0]
	var all map[string]pair
	complete := waitFor(60*time.Second, func() bool {
		all = c.pairs(id)
		for _, p := range all {
			if p.ours == nil {
				return false
			}
		}
		return len(all) == 3
	})
	if !complete {
		t.Fatal("spans are missing:", all, c.of(id))
	}
	first, second, third := all["GET web 200"], all["POST web 200"], all["DELETE web 403"]
	for name, p := range map[string]pair{"GET": first, "POST": second, "DELETE": third} {
		if p.envoy == nil || p.envoy.Kind != trace.Span_SPAN_KIND_SERVER || !bytes.Equal(p.envoy.TraceId, p.ours.TraceId) ||
			attributeOf(p.ours, "session.id") != id || len(p.ours.Links) != 1 || !bytes.Equal(p.ours.Links[0].TraceId, notify.TraceID(id)) ||
			c.node[string(p.envoy.SpanId)] != "gateway" || strings.Contains(p.envoy.String(), "secret-") {
			t.Errorf("%s: Envoy's %v, ours %v", name, p.envoy, p.ours)
		}
	}
	if hex.EncodeToString(first.envoy.TraceId) != theirs || hex.EncodeToString(first.envoy.ParentSpanId) != span ||
		hex.EncodeToString(third.envoy.TraceId) != theirs || bytes.Equal(second.envoy.TraceId, first.envoy.TraceId) || len(second.envoy.ParentSpanId) != 0 ||
		attributeOf(third.envoy, "dragoman.verdict") != "block" {
		t.Errorf("%v\n%v\n%v", first.envoy, second.envoy, third.envoy)
	}
	for got, p := range map[string]pair{given.text: first, own.text: second} {
		want := fmt.Sprintf("00-%x-%x-01", p.envoy.TraceId, p.envoy.SpanId)
		if got != want {
			t.Errorf("the target got traceparent %q, want %q", got, want)
		}
		g.replay(id, want)
	}
}

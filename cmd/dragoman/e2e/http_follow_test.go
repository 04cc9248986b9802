package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

const followPolicy = `
policy:
  rules:
    - {name: all, verdict: allow, when: {groups: [agents]}}
  masks:
    - {name: addresses, detectors: [email]}
`

// TestHTTPFollow: whoever follows a text gets each line, masked, when it comes, and not when the text ends.
func TestHTTPFollow(t *testing.T) {
	more := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/log", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, line := range []string{"one bob@example.com\ntwo al", "ice@example.com\n"} {
			io.WriteString(w, line)
			http.NewResponseController(w).Flush()
			select {
			case <-more:
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</carol@example.com>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	})
	target := httptest.NewServer(mux)
	defer target.Close()
	g, url := httpGateway(t, target.Listener.Addr().(*net.TCPAddr).String(), "", followPolicy)
	token := g.token("agents")
	open := func(path string, trace *httptrace.ClientTrace) *http.Response {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), "GET", url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	lines := bufio.NewReader(open("/log", &httptrace.ClientTrace{}).Body)
	for _, want := range []string{"one [redacted]\n", "two [redacted]\n"} {
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q %v, want %q", got, err, want)
		}
		more <- struct{}{}
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}

	// A head before the head is neither masked nor recorded, so none may pass.
	early := ""
	res := open("/hints", &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		early += http.StatusText(code) + h.Get("Link")
		return nil
	}})
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "done" || early != "" {
		t.Errorf("%q %v, and before it %q", b, err, early)
	}

	// What the agent sends after a body is masked in the record as well.
	req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/hints", io.NopCloser(strings.NewReader("body")))
	req.Trailer = http.Header{"X-Note": {"dave@example.com"}}
	req.Header.Set("Authorization", "Bearer "+token)
	if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	} else {
		res.Body.Close()
	}
	if out := strings.ToLower(g.replay(g.webSessions()[0], "done", "body")); strings.Contains(out, "dave@") || !strings.Contains(out, "x-note") {
		t.Error(out)
	}
}

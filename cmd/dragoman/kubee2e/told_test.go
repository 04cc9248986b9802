//go:build kube

package kubee2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/notice"
)

// refusal asks for something that is refused, and gives what programs read in the Status.
func (r *rig) refusal(token, method, path string, headers ...string) (notice.Notice, error) {
	pem, err := os.ReadFile(r.cluster.CAFile)
	if err != nil {
		return notice.Notice{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Timeout: 2 * limit, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	req, err := http.NewRequest(method, fmt.Sprintf("https://127.0.0.1:%d%s", r.port, path), nil)
	if err != nil {
		return notice.Notice{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return notice.Notice{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return notice.Notice{}, err
	}
	s, err := kube.ParseStatus(body)
	if err != nil || s.Code != http.StatusForbidden || res.StatusCode != http.StatusForbidden || s.Details == nil {
		return notice.Notice{}, fmt.Errorf("%s: %s: %w", res.Status, body, err)
	}
	var n notice.Notice
	for _, c := range s.Details.Causes {
		switch c.Reason {
		case kube.CauseCode:
			n.Code = c.Message
		case kube.CauseRule:
			n.Rule = c.Message
		case kube.CauseHold:
			n.Hold = c.Message
		case kube.CauseURL:
			n.URL = c.Message
		case kube.CauseHint:
			n.Instead = c.Message
		}
	}
	return n, nil
}

// TestToldPrograms: the Status of a call, and of a stream, that is refused or was held says to programs: a stable code, the hold's id, its URL, and what is
// allowed instead.
func TestToldPrograms(t *testing.T) {
	token := shared.token(t, "ops")
	const pods, maps = "/api/v1/namespaces/default/pods/shell/exec?stdout=true&command=", "/api/v1/namespaces/default/configmaps/"
	stream := []string{"Connection", "Upgrade", "Upgrade", "SPDY/3.1", "X-Stream-Protocol-Version", "v4.channel.k8s.io"}
	for _, c := range []struct {
		name, method, path, rule, instead string
		headers                           []string
		held                              bool
	}{
		{"a call", "DELETE", maps + "kept-told", "keep", "rename it", nil, false},
		{"a call that is held", "DELETE", maps + "held-told", "ask-delete", "rename it", nil, true},
		{"a stream", "POST", pods + "rm&command=x", "no-rm", "ask for a ticket", stream, false},
		{"a stream that is held", "POST", pods + "touch&command=/tmp/told", "ask", "use the queue", stream, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n notice.Notice
			done := make(chan error, 1)
			go func() {
				var err error
				n, err = shared.refusal(token, c.method, c.path, c.headers...)
				done <- err
			}()
			want := notice.Notice{Code: notice.Blocked, Rule: c.rule, Instead: c.instead}
			if c.held {
				want.Code, want.Hold = notice.Denied, shared.waiting(t)
				shared.Must(t, "approvals", "deny", want.Hold, "--as", "user:dana@example.com", "--group", "leads")
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if want.Hold != "" && strings.HasSuffix(n.URL, "/approvals/"+want.Hold) {
				want.URL = n.URL
			}
			if n != want || c.held && n.URL == "" {
				t.Errorf("programs are told %+v, not %+v", n, want)
			}
		})
	}
}

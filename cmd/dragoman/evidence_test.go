package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/notify"
	"dragoman.dev/dragoman/web/api"
)

// newControlRig is a control plane without an Envoy, over a store that has a session.
func newControlRig(t *testing.T, more string) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "dgm-") // short, for unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, dir: dir, config: filepath.Join(dir, "dragoman.yaml"), log: &output{}}
	r.write("dragoman.yaml", `data: data
envoy: {external: true}
targets:
  - {name: shop, protocol: postgres, listen: 127.0.0.1:1, address: 127.0.0.1:2, credentials: {user: app}}
policy:
  rules:
    - {name: all, verdict: allow}
`+more)
	cfg, err := config.Load(r.config)
	if err == nil {
		err = os.MkdirAll(cfg.KeysDir(), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	(&auditRig{t: t, cfg: cfg, conf: r.config}).session("ses_a")
	return r
}

// get calls the HTTP API's port.
func (r *rig) get(port, bearer, path string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", "http://"+port+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// file writes what a command printed, and returns its path.
func (r *rig) file(name, text string) string {
	r.write(name, text)
	return filepath.Join(r.dir, name)
}

// TestProofs: from the running control plane to an auditor who has only the public key.
func TestProofs(t *testing.T) {
	r := newControlRig(t, "audit: {log: {origin: example.com/evidence, running: 1s}}\n").up()
	key := filepath.Join(r.dir, "data", "keys", "record.pub")
	var head api.Head
	if err := json.Unmarshal([]byte(r.must("audit", "checkpoint", "--json", "--save", filepath.Join(r.dir, "kept"))), &head); err != nil || head.Size != 1 {
		t.Fatal(head, err)
	}
	proof := r.file("proof", r.must("audit", "proof", "ses_a"))
	if out := r.must("audit", "verify-proof", proof, "--key", key); !strings.Contains(out, "session ses_a (running, 1 frames) is in the log") {
		t.Error(out)
	}
	r.want(exitNotFound, "audit", "proof", "ses_b")
	r.want(exitUsage, "audit", "consistency", "--from", "99")
	r.want(exitUsage, "audit", "verify-proof", proof)

	// The access log's own entries make the log grow: its record is entered while it runs.
	r.eventually("the log grows", func() bool {
		var now api.Head
		r.must("sessions", "show", "ses_a")
		return json.Unmarshal([]byte(r.must("audit", "checkpoint", "--json")), &now) == nil && now.Size > 1
	})
	grown := r.file("grown", r.must("audit", "consistency", "--from", "1"))
	if out := r.must("audit", "verify-proof", grown, "--key", key, "--checkpoint", filepath.Join(r.dir, "kept")); !strings.Contains(out, "begins with that of 1") {
		t.Error(out)
	}
	b, err := os.ReadFile(proof)
	if err != nil {
		t.Fatal(err)
	}
	bad := r.file("bad", strings.Replace(string(b), `"index": 0`, `"index": 1`, 1))
	if out := r.want(exitFailure, "audit", "verify-proof", bad, "--key", key); !strings.Contains(out, "not proven") {
		t.Error(out)
	}
}

// TestAuditReads: what the command line and the API read is in the access log, which verifies
// with the records.
func TestAuditReads(t *testing.T) {
	port := "127.0.0.1:" + num(int64(freePort(t)))
	t.Setenv("READER", "a-reader-of-the-tests-1")
	t.Setenv("AUDITOR", "an-auditor-of-the-tests-1")
	r := newControlRig(t, `admin:
  listen: `+port+`
  tokens:
    - {token: env:READER, subject: "ci:reader", roles: [reader]}
    - {token: env:AUDITOR, subject: "user:rev", roles: [auditor]}
  grants:
    - {subjects: ["agent:bot"], roles: [approver]}
`).up()
	r.must("sessions", "list")
	r.must("sessions", "--as", "user:dana@example.com", "show", "ses_a")
	r.must("sessions", "replay", "ses_a")
	r.must("sessions", "export", "ses_a")
	if out := r.must("sessions", "export", "ses_a", "--format", "ocsf"); !strings.Contains(out, `"class_uid":3002`) || !strings.Contains(out, `"version":"1.8.0"`) {
		t.Error(out)
	}
	for format, want := range map[string]string{"asciicast": "this session has no terminal", "har": "no HTTP exchanges", "pdf": "there is no format"} {
		if out := r.want(exitUsage, "sessions", "export", "ses_a", "--format", format); !strings.Contains(out, want) {
			t.Error(out)
		}
	}
	r.want(exitNotFound, "sessions", "export", "ses_none", "--format", "har")
	if status, body := r.get(port, "a-reader-of-the-tests-1", "/v1/sessions/ses_a/frames"); status != 200 {
		t.Error(status, body)
	}
	for _, token := range []string{"a-reader-of-the-tests-1", r.token()} {
		if status, body := r.get(port, token, "/v1/reads"); status != 403 {
			t.Error(status, body)
		}
	}
	if status, _ := r.get(port, r.token(), "/v1/sessions/ses_a"); status != 403 { // an approver
		t.Error(status)
	}
	if status, body := r.get(port, "an-auditor-of-the-tests-1", "/v1/reads?session=ses_a"); status != 200 || !strings.Contains(body, "ci:reader") {
		t.Error(status, body)
	}
	var reads []access.Entry
	if err := json.Unmarshal([]byte(r.must("audit", "reads", "--session", "ses_a", "--json")), &reads); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := len(reads) - 1; i >= 0; i-- {
		e := reads[i]
		who := e.By
		if strings.HasPrefix(who, "local:") {
			who = "local"
		}
		got = append(got, who+" "+e.Way)
	}
	want := "local list, user:dana@example.com show, user:dana@example.com actions, local replay, local export, local export, local show, local show, ci:reader frames, agent:bot show"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
	if out := r.must("audit", "reads", "--identity", "user:dana@example.com"); !strings.Contains(out, "local:") || !strings.Contains(out, "admin-socket") {
		t.Error(out)
	}
	if out := r.must("sessions", "list"); strings.Contains(out, access.Prefix) {
		t.Error("the access log is among the sessions", out)
	}
	if code := r.stop(); code != 0 {
		t.Error(code)
	}
	if out := r.must("audit", "verify"); !strings.Contains(out, "whole") {
		t.Error(out)
	}
}

// TestWebhook: what happens is told at once, signed; here it is that somebody reads.
func TestWebhook(t *testing.T) {
	got := make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		if req.Header.Get(notify.SignatureHeader) != notify.Sign("a-secret-of-the-tests-1", req.Header.Get(notify.TimestampHeader), b) {
			t.Error("the signature does not hold")
		}
		got <- string(b)
	}))
	defer srv.Close()
	t.Setenv("HOOK", "a-secret-of-the-tests-1")
	r := newControlRig(t, "audit:\n  webhooks:\n    - {name: siem, url: "+srv.URL+", secret: env:HOOK, format: ocsf}\n").up()
	r.must("sessions", "show", "ses_a")
	r.eventually("the read is told", func() bool {
		select {
		case b := <-got:
			return strings.Contains(b, `"class_uid":6003`) && strings.Contains(b, "ses_a")
		default:
			return false
		}
	})
}

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// TestSlack: a hold is told to Slack, the buttons decide as whom the config says, and four eyes, the digest and the
// signature hold there as everywhere.
func TestSlack(t *testing.T) {
	told := make(chan string, 4)
	slack := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		told <- string(b)
	}))
	defer slack.Close()
	t.Setenv("SLACK_SIGNING", "the-signing-secret-of-the-app")
	cfg, store := noticeRig(t, `
admin: {listen: "127.0.0.1:1"}
approvals:
  notify: [{name: team, kind: slack, url: "`+slack.URL+`", secret: "env:SLACK_SIGNING", team: T1, people: [
    {slack: UDANA, subject: "user:dana@example.com", groups: [dba]}, {slack: UALICE, subject: "user:alice@example.com", groups: [dba]}]}]
`)
	c := noticesOf(t, cfg, store, "test")
	defer func() { _ = c.close() }()
	digest := strings.Repeat("ab", 32)
	h := hold.Hold{ID: "hld_" + strings.Repeat("a", 26), Session: "ses_1", Target: "shop", Identity: identity.New("user:alice@example.com", "agent:bot"), Digest: digest,
		Rule: "r", Approvers: []string{"dba"}, Deadline: time.Now().Add(5 * time.Minute), Action: action.Action{Kind: action.KindSQL, Verbs: []string{"update"}, Text: "UPDATE t SET a = 'hidden'"}}
	ended := make(chan hold.Hold, 1)
	go func() {
		got, err := c.approvals.Hold(t.Context(), h)
		if err != nil {
			t.Error(err)
		}
		ended <- got
	}()
	select {
	case text := <-told:
		if !strings.Contains(text, h.ID+" "+digest) || strings.Contains(text, "hidden") {
			t.Errorf("Slack is told %s", text)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("Slack is told nothing")
	}
	handler := c.withClicks(http.NotFoundHandler())
	n := 0
	press := func(secret, team, user, digest string) int {
		n++
		body := url.Values{"payload": {fmt.Sprintf(`{"type":"block_actions","user":{"id":%q},"team":{"id":%q},"trigger_id":"%d","actions":[{"action_id":"dragoman_approve","value":"%s %s"}]}`,
			user, team, n, h.ID, digest)}}.Encode()
		at := fmt.Sprint(time.Now().Unix())
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte("v0:" + at + ":" + body))
		r := httptest.NewRequest("POST", slackPath, strings.NewReader(body))
		r.Header.Set("X-Slack-Request-Timestamp", at)
		r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(m.Sum(nil)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	const secret = "the-signing-secret-of-the-app"
	for name, c := range map[string]struct{ got, want int }{
		"a forged signature":     {press("a-guess", "T1", "UDANA", digest), http.StatusUnauthorized},
		"another workspace":      {press(secret, "T2", "UDANA", digest), http.StatusForbidden},
		"who is not named":       {press(secret, "T1", "UEVE", digest), http.StatusForbidden},
		"who asks":               {press(secret, "T1", "UALICE", digest), http.StatusConflict},
		"another statement":      {press(secret, "T1", "UDANA", strings.Repeat("cd", 32)), http.StatusConflict},
		"by another way of HTTP": {get(handler, slackPath), http.StatusMethodNotAllowed},
		"another page":           {get(handler, "/slack/other"), http.StatusNotFound},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", name, c.got, c.want)
		}
	}
	if got := press(secret, "T1", "UDANA", digest); got != http.StatusOK {
		t.Fatalf("a good press: %d", got)
	}
	select {
	case got := <-ended:
		if got.State != hold.Used || len(got.Decisions) != 1 || got.Decisions[0].Via != "slack" || got.Decisions[0].By.Issuer != "slack:T1/UDANA" {
			t.Errorf("%+v", got)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the hold goes on")
	}
}

func get(h http.Handler, path string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code
}

// noticeRig is a configuration with one target, and a store of holds that ends with the test.
func noticeRig(t *testing.T, text string) (*config.Config, approval.Store) {
	t.Helper()
	cfg, err := config.Parse([]byte(text+`targets: [{name: shop, address: "db:1", listen: "127.0.0.1:2", credentials: {user: u}}]
policy: {dir: p}
`), filepath.Join(t.TempDir(), "dragoman.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	store, err := approval.NewSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, store
}

// noticesOf is a control plane that tells of the holds in a store. Whoever calls it closes it.
func noticesOf(t *testing.T, cfg *config.Config, store approval.Store, owner string) *control {
	t.Helper()
	c := &control{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	var err error
	if c.approvals, err = approval.New(t.Context(), store, approval.Config{Owner: owner, Left: c.leaves(), Now: time.Now, Log: c.log}); err != nil {
		t.Fatal(err)
	}
	c.onClose(func() error { c.approvals.Close(); return nil })
	if err := c.openNotices(); err != nil {
		t.Fatal(err)
	}
	return c
}

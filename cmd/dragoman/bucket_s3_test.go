//go:build s3

package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/s3server"
)

// TestMigrateToS3: records are moved into a bucket of a real S3 server with object lock, and verified and judged again there.
func TestMigrateToS3(t *testing.T) {
	server, err := s3server.Start(envoytest.Tools(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	for name, value := range s3server.Env() {
		t.Setenv(name, value)
	}
	bucket, err := server.Bucket(t.Context(), "records", true)
	if err != nil {
		t.Fatal(err)
	}
	r := newAuditRig(t)
	r.session("ses_a")
	r.session("ses_b")
	raw, err := os.ReadFile(r.conf)
	if err == nil {
		text := "audit:\n  bodies: {url: \"" + bucket + "\", lock: {for: 1h, mode: governance}}\n"
		err = os.WriteFile(r.conf, append([]byte(text), raw...), 0o600)
	}
	if err == nil {
		r.cfg, err = config.Load(r.conf)
	}
	if err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) (string, int) {
		out := &output{}
		code := run(t.Context(), append(args, "-c", r.conf), strings.NewReader(""), out, io.Discard)
		return out.String(), code
	}
	if _, err := controlOf(t, r.cfg); err == nil || !strings.Contains(err.Error(), "dragoman migrate") {
		t.Fatal("records in the folder are not missed:", err)
	}
	if out, code := do("migrate", "--json"); code != 0 || !strings.Contains(out, `"bodies": 2`) {
		t.Fatal(code, out)
	}
	if left, _ := filepath.Glob(filepath.Join(r.cfg.AuditDir(), "sessions", "*", "*", "*", "*")); len(left) > 0 {
		t.Error(left)
	}
	c, err := newControl(t.Context(), r.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ses_a", "ses_b"} {
		if err := c.records.Lost(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	(&rig{t: t}).eventually("they are sealed", func() bool {
		one, err := c.records.Get(t.Context(), "ses_a")
		two, err2 := c.records.Get(t.Context(), "ses_b")
		return err == nil && err2 == nil && one.Sealed && two.Sealed
	})
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	var sum verified
	if out, code := do("audit", "verify", "--json"); code != 0 || json.Unmarshal([]byte(out), &sum) != nil || sum.Records != 2 || !sum.OK {
		t.Error(code, out)
	}
	if out, code := do("policy", "backtest", "--json"); code != 0 || !strings.Contains(out, `"sessions": 2`) {
		t.Error(code, out)
	}
}

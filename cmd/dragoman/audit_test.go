package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

// auditRig is a data folder without a control plane.
type auditRig struct {
	t    *testing.T
	cfg  *config.Config
	conf string
}

func newAuditRig(t *testing.T) *auditRig {
	dir := t.TempDir()
	r := &auditRig{t: t, conf: filepath.Join(dir, "dragoman.yaml")}
	err := os.WriteFile(r.conf, []byte(`data: data
targets:
  - {name: shop, protocol: postgres, listen: 127.0.0.1:1, address: 127.0.0.1:2, credentials: {user: app}}
policy:
  rules:
    - {name: all, verdict: allow}
`), 0o600)
	if err == nil {
		r.cfg, err = config.Load(r.conf)
	}
	if err == nil {
		err = os.MkdirAll(r.cfg.KeysDir(), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// session records one, and leaves it running.
func (r *auditRig) session(id string) {
	r.t.Helper()
	key, err := recordKey(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := audit.Open(r.cfg.AuditDir(), audit.Options{Key: key, Origin: r.cfg.Trail.Log.Origin})
	if err != nil {
		r.t.Fatal(err)
	}
	sp, err := record.OpenSpool(r.t.TempDir(), record.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer sp.Close()
	w, err := sp.Begin(record.ModeWrite, record.Open{Session: policy.Session{ID: id}, Target: policy.Target{Name: "shop", Protocol: "postgres"},
		Identity: identity.New("agent:a"), Node: "n1"})
	if err == nil {
		err = w.Flush()
	}
	buf := make([]byte, 1<<16)
	n, rerr := sp.ReadAt(id, buf, 0)
	if err != nil || rerr != nil {
		r.t.Fatal(err, rerr)
	}
	if _, err := s.Append(r.t.Context(), "n1", []ship.Chunk{{Session: id, Data: buf[:n]}}); err != nil {
		r.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *auditRig) run(want int, args ...string) string {
	r.t.Helper()
	var out bytes.Buffer
	if code := run(context.Background(), append([]string{"-c", r.conf, "audit"}, args...), strings.NewReader(""), &out, &out); code != want {
		r.t.Fatalf("audit %v: exit %d, want %d\n%s", args, code, want, &out)
	}
	return out.String()
}

// TestAuditVerifyOffline: on a copy, with the public key and a kept checkpoint alone; and across
// a change of the key.
func TestAuditVerifyOffline(t *testing.T) {
	r := newAuditRig(t)
	if out := r.run(exitFailure, "rotate-key"); !strings.Contains(out, "no signing key yet") {
		t.Fatal(out)
	}
	r.session("ses_a")
	kept := filepath.Join(t.TempDir(), "kept")
	if out := r.run(exitOK, "verify", "--save", kept); !strings.Contains(out, "1 records (1 live)") {
		t.Fatal(out)
	}
	if out := r.run(exitOK, "rotate-key"); !strings.Contains(out, "new key") {
		t.Fatal(out)
	}
	r.session("ses_b")
	r.run(exitOK, "verify", "--checkpoint", kept)
	oldPubs, err := filepath.Glob(filepath.Join(r.cfg.KeysDir(), "record-*.pub"))
	if err != nil || len(oldPubs) != 1 {
		t.Fatal(oldPubs, err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(r.cfg.AuditDir())); err != nil {
		t.Fatal(err)
	}
	offline := []string{"verify", "--data", copied, "--key", oldPubs[0], "--checkpoint", kept, "--save", kept}
	r.run(exitOK, offline...)

	// Rolled back to what it was before.
	path := filepath.Join(copied, "log", "checkpoint")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r.session("ses_c")
	r.run(exitOK, "verify", "--checkpoint", kept, "--save", kept)
	if out := r.run(exitFailure, offline...); !strings.Contains(out, "rolled back") {
		t.Fatal(out)
	}
	b[len(b)-20]++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := r.run(exitFailure, "verify", "--data", copied, "--key", oldPubs[0], "--json"); !strings.Contains(out, `"signature"`) {
		t.Fatal(out)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/authz/approval/storetest"
	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// controlOf opens a control plane without serving anything.
func controlOf(t *testing.T, cfg *config.Config) (*control, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := newControl(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		cancel()
		c.close()
		return nil, err
	}
	t.Cleanup(func() { cancel(); c.close() })
	return c, nil
}

// holdsIn puts an ended hold, 80 days old, and an open new one into the embedded store.
func holdsIn(t *testing.T, cfg *config.Config) {
	t.Helper()
	db, err := sqlitedb.Open(cfg.StateFile())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := approval.NewSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var all [2]hold.Hold
	for n := range all {
		all[n] = storetest.Sample(n)
		all[n].Created = time.Now().UTC().Add(-[]time.Duration{80 * 24 * time.Hour, 0}[n])
		if err := s.Create(t.Context(), approval.Record{Hold: all[n], Owner: "local"}); err != nil {
			t.Fatal(err)
		}
	}
	done := approval.Record{Hold: all[0], Version: 1}
	done.Hold.State = hold.Denied
	if _, err := s.Update(t.Context(), done); err != nil {
		t.Fatal(err)
	}
}

// TestMigrate: from the data folder into a real PostgreSQL, which a control plane then uses alone.
func TestMigrate(t *testing.T) {
	home, err := pgserver.Ensure(t.Context(), envoytest.Tools(), pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	server, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	r := newAuditRig(t)
	r.session("ses_a")
	r.session("ses_b")
	holdsIn(t, r.cfg)
	migrate := func() (string, int) {
		out := &output{}
		code := run(t.Context(), []string{"migrate", "-c", r.conf, "--json"}, strings.NewReader(""), out, io.Discard)
		return out.String(), code
	}
	if out, code := migrate(); code != exitUsage {
		t.Fatal("without a database:", code, out)
	}
	r.setDatabase(t, server.URL("postgres"))
	var usage *exitError
	if _, err := controlOf(t, r.cfg); !errors.As(err, &usage) || !strings.Contains(err.Error(), "dragoman migrate") {
		t.Fatal("the embedded index is not missed:", err)
	}
	if out, code := migrate(); code != 0 || !strings.Contains(out, `"sessions": 2`) || !strings.Contains(out, `"holds": 2`) {
		t.Fatal(code, out)
	}
	if out, code := migrate(); code != 0 || !strings.Contains(out, `"sessions": 2`) || !strings.Contains(out, `"holds": 0`) {
		t.Fatal("again:", code, out)
	}
	if _, err := os.Stat(filepath.Join(r.cfg.AuditDir(), "index.db.migrated")); err != nil {
		t.Error(err)
	}
	r.checkShared(t)
}

// TestMigrateToReplicas: one control plane's folder becomes what several share; its tokens and revocations hold there.
func TestMigrateToReplicas(t *testing.T) {
	home, err := pgserver.Ensure(t.Context(), envoytest.Tools(), pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	server, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	r := newAuditRig(t)
	r.session("ses_a")
	r.session("ses_b")
	first, err := newControl(t.Context(), r.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	good, _, err := first.issuer.Mint(t.Context(), token.MintRequest{Subject: "agent:good"})
	if err != nil {
		t.Fatal(err)
	}
	bad, issued, err := first.issuer.Mint(t.Context(), token.MintRequest{Subject: "agent:bad"})
	if err == nil {
		_, err = first.tokens.Revoke(t.Context(), issued.Identity.TokenID, "test", "x")
	}
	if err = errors.Join(err, first.close()); err != nil {
		t.Fatal(err)
	}
	holdsIn(t, r.cfg)

	shared := t.TempDir()
	old := r.cfg
	r.setDatabase(t, server.URL("postgres"))
	raw, err := os.ReadFile(r.conf)
	if err == nil {
		err = os.WriteFile(r.conf, append(fmt.Appendf(nil, "replicas: {name: one, folder: %s, listen: \"127.0.0.1:%d\"}\n", shared, freePort(t)), raw...), 0o600)
	}
	if err == nil {
		r.cfg, err = config.Load(r.conf)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := controlOf(t, r.cfg); err == nil || !strings.Contains(err.Error(), "move it into "+shared) {
		t.Fatal("the old folders are not missed:", err)
	}
	for _, name := range []string{"audit", "keys"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(shared, name)), os.Rename(filepath.Join(old.Data, name), filepath.Join(shared, name))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := controlOf(t, r.cfg); err == nil || !strings.Contains(err.Error(), "dragoman migrate") {
		t.Fatal("the old tokens are not missed:", err)
	}
	out := &output{}
	if code := run(t.Context(), []string{"migrate", "-c", r.conf, "--json"}, strings.NewReader(""), out, out); code != 0 ||
		!strings.Contains(out.String(), `"sessions": 2`) || !strings.Contains(out.String(), `"holds": 2`) || !strings.Contains(out.String(), `"tokens": 3`) {
		t.Fatal(code, out)
	}
	c, err := controlOf(t, r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.auth.Authenticate(t.Context(), identity.Credential{Token: good}); err != nil {
		t.Error("a good token:", err)
	}
	if _, err := c.auth.Authenticate(t.Context(), identity.Credential{Token: bad}); identity.ReasonOf(err) != identity.ReasonRevoked {
		t.Error("a revoked one:", err)
	}
	waitKeeper(t, c)
	if page, err := c.records.List(t.Context(), audit.Filter{Identity: "agent:a"}); err != nil || len(page.Sessions) != 2 {
		t.Error(page, err)
	}
	if code := run(t.Context(), []string{"migrate", "-c", r.conf}, strings.NewReader(""), io.Discard, out); code == 0 {
		t.Error("it migrates while a control plane runs")
	}
}

// waitKeeper waits until this control plane keeps the records.
func waitKeeper(t *testing.T, c *control) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); c.records.Mine() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody keeps the records")
		}
	}
}

// TestMoveBodies: folders are put aside when all of them is in the bucket.
func TestMoveBodies(t *testing.T) {
	r := newAuditRig(t)
	r.session("ses_a")
	b, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	to := bucket.New(b, bucket.Options{})
	if n, err := moveBodies(t.Context(), r.cfg.AuditDir(), to, slog.New(slog.DiscardHandler)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := moveBodies(t.Context(), r.cfg.AuditDir(), to, slog.New(slog.DiscardHandler)); n != 0 || err != nil {
		t.Fatal("again:", n, err)
	}
	if left, err := filepath.Glob(filepath.Join(r.cfg.AuditDir(), "sessions", "*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	found := 0
	if err := to.List(t.Context(), "sessions/", func(string) error { found++; return nil }); err != nil || found != 1 {
		t.Error(found, err)
	}
}

func (r *auditRig) setDatabase(t *testing.T, url string) {
	t.Helper()
	raw, err := os.ReadFile(r.conf)
	if err == nil {
		err = os.WriteFile(r.conf, append([]byte("database: file:db.url\n"), raw...), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(r.conf), "db.url"), []byte(url+"\n"), 0o600)
	}
	if err == nil {
		r.cfg, err = config.Load(r.conf)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (r *auditRig) checkShared(t *testing.T) {
	c, err := controlOf(t, r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := newAuditRig(t)
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(r.conf), "db.url"))
	if err != nil {
		t.Fatal(err)
	}
	other.setDatabase(t, strings.TrimSpace(string(raw)))
	if _, err := controlOf(t, other.cfg); !errors.Is(err, pgdb.ErrTaken) {
		t.Error("a second control plane:", err)
	}
	page, err := c.records.List(t.Context(), audit.Filter{Identity: "agent:a"})
	if err != nil || len(page.Sessions) != 2 || page.Sessions[0].Node != "n1" {
		t.Fatalf("%+v %v", page, err)
	}
	ended, err := c.approvals.Show(t.Context(), storetest.Sample(0).ID)
	if err != nil || ended.State != hold.Denied {
		t.Errorf("%+v %v", ended, err)
	}
	open, err := c.approvals.Show(t.Context(), storetest.Sample(1).ID)
	if err != nil || open.State != hold.Withdrawn { // nobody waits for it any more
		t.Errorf("%+v %v", open, err)
	}
	c.pruneOnce(t.Context(), time.Now().Add(11*24*time.Hour))
	if _, err := c.approvals.Show(t.Context(), storetest.Sample(0).ID); !errors.Is(err, approval.ErrNotFound) {
		t.Error("an old hold is not forgotten:", err)
	}
	if _, err := c.approvals.Show(t.Context(), storetest.Sample(1).ID); err != nil {
		t.Error("a young one is:", err)
	}
}

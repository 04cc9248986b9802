package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/authz/approval/storetest"
	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
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

package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// everything allows all that there is.
var everything = "- {name: everything, verdict: allow, features_allowed: [" + strings.Join(policy.DangerousFeatures(), ", ") + "]}\n"

func TestThinPath(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	c := g.connect(t, "")
	var n int
	if err := c.QueryRow(ctxT(t), "select 40 + 2", pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil || n != 42 {
		t.Fatal(n, err)
	}
	if err := c.QueryRow(ctxT(t), "select $1::int + 2", 5).Scan(&n); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	var app string
	if err := c.QueryRow(ctxT(t), "select current_setting('application_name')").Scan(&app); err != nil || app != "user:alice@example.com>agent:bot" {
		t.Fatal(app, err)
	}
	c.Close(ctxT(t))
	frames := g.frames(t)
	for _, k := range []record.Kind{record.KindOpen, record.KindAction, record.KindRequest, record.KindResponse, record.KindResult, record.KindClose} {
		if frames[k] == 0 {
			t.Errorf("no frame of kind %d: %v", k, frames)
		}
	}
}

func TestNoTokenNoConnection(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	for token, code := range map[string]string{"nonsense": "28P01", "stranger:x": "28000", "": "28P01"} {
		cfg, err := pgx.ParseConfig(g.url(""))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Password = token
		_, err = pgx.ConnectConfig(ctxT(t), cfg)
		if err == nil {
			t.Fatalf("token %q was let in", token)
		}
		if pe := asPgError(err); pe == nil || pe.Code != code || pe.Severity != "FATAL" {
			t.Errorf("token %q: %v", token, err)
		}
	}
	if g.dials.Load() != 0 || g.upBytes.Load() != 0 {
		t.Errorf("%d connections and %d bytes reached the target", g.dials.Load(), g.upBytes.Load())
	}
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/httpcred"
	"dragoman.dev/dragoman/internal/identity/token"
)

// openAssertions opens the keys that sign identity chains for targets: not those of tokens.
func (c *control) openAssertions() (err error) {
	c.assertions, err = token.OpenKeys(filepath.Join(c.cfg.KeysDir(), "identity"), time.Now)
	return err
}

// targetsOf answers authz from the config.
func (c *control) targetsOf() targets {
	secrets := c.cfg.Secrets()
	return targets{cfg: c.cfg, secrets: secrets,
		http: &httpcred.Source{Secrets: secrets, Keys: c.assertions, Issuer: c.cfg.Identity.Issuer.Name, Now: time.Now}}
}

// SessionCredentials implements authz.SessionTargets.
func (t targets) SessionCredentials(ctx context.Context, live authz.Live) (check.Credentials, error) {
	target := t.cfg.Target(live.Target.Name)
	if target == nil {
		return check.Credentials{}, fmt.Errorf("no target %q", live.Target.Name)
	}
	if target.OverHTTP() {
		return t.http.Credentials(ctx, target, httpcred.Session{ID: live.Session.ID, Identity: live.Identity})
	}
	if target.Protocol == config.ProtocolSSH {
		return t.sshCredentials(ctx, target, live)
	}
	return t.Credentials(ctx, target.Name)
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/estimate"
	"dragoman.dev/dragoman/internal/hold"
)

// estimates asks targets that want it what they expect of held statements; nil when none does.
func (c *control) estimates() func(context.Context, hold.Hold) (*hold.Estimate, error) {
	if !slices.ContainsFunc(c.cfg.Targets, func(t config.Target) bool { return t.Estimates }) {
		return nil
	}
	return c.estimate
}

// estimate asks one, with the credentials and in the database of the hold's session. Without an answer there is none to show.
func (c *control) estimate(ctx context.Context, h hold.Hold) (*hold.Estimate, error) {
	t := c.cfg.Target(h.Target)
	if t == nil || !t.Estimates {
		return nil, nil
	}
	live, ok := c.sessions.Get(h.Session)
	if !ok {
		return nil, fmt.Errorf("%w: its session is ending", estimate.ErrUnfit)
	}
	secret, err := c.targetsOf().Credentials(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	tls, err := upstreamTLS(t.TLS.Upstream)
	if err != nil {
		return nil, err
	}
	r := estimate.Request{Action: h.Action, Addresses: t.Addresses, TLS: tls, Binding: t.TLS.Upstream.ChannelBinding, User: cmp.Or(secret.User, live.Session.User), Password: secret.Password,
		Database: cmp.Or(secret.Database, live.Session.Database), SQLMode: h.SQLMode}
	if t.Protocol == config.ProtocolMySQL {
		return estimate.MySQL(ctx, r, time.Now())
	}
	return estimate.Postgres(ctx, r, time.Now())
}

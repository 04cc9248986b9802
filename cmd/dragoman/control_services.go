package main

import (
	"context"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/httpcred"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record/ship"
)

// ingest keeps what nodes ship, and tells the registry when a session is over.
type ingest struct{ c *control }

// Append implements ship.Ingest.
func (i ingest) Append(ctx context.Context, node string, chunks []ship.Chunk) ([]ship.Ack, error) {
	acks, err := i.c.records.Append(ctx, node, chunks)
	if err == nil {
		for _, ch := range chunks {
			if ch.Ended {
				i.c.sessions.Ended(ch.Session)
			}
		}
	}
	return acks, err
}

// ender ends sessions where they are.
type ender struct{ ship *ship.Server }

// EndSession implements authz.SessionEnder.
func (e ender) EndSession(ctx context.Context, id, reason string) error {
	if !e.ship.EndSession(ctx, id, reason) {
		return errors.New("no connected gateway has the session")
	}
	return nil
}

// targets answers authz from the config.
type targets struct {
	cfg     *config.Config
	secrets *config.Secrets
	http    *httpcred.Source
}

// Target implements authz.Targets.
func (t targets) Target(node, name string) (policy.Target, bool) {
	return t.cfg.TargetOf(node, name)
}

// Credentials implements authz.Targets.
func (t targets) Credentials(ctx context.Context, name string) (check.Credentials, error) {
	target := t.cfg.Target(name)
	if target == nil {
		return check.Credentials{}, fmt.Errorf("no target %q", name)
	}
	var out check.Credentials
	for _, x := range []struct {
		ref config.Ref
		to  *string
	}{{target.Credentials.User, &out.User}, {target.Credentials.Password, &out.Password}, {target.Credentials.Database, &out.Database}} {
		v, err := t.secrets.Resolve(ctx, x.ref)
		if err != nil {
			return check.Credentials{}, err
		}
		*x.to = v.Reveal()
	}
	return out, nil
}

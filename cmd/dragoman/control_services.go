package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/httpcred"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record/ship"
)

// ingest keeps what nodes ship, and tells the registry when a session is over.
type ingest struct {
	records  ship.Ingest
	sessions func() *authz.Sessions // made after it, before anything is shipped
}

// owns reports whether a session is the node's, as far as the registry knows.
func (i ingest) owns(node, session string) bool {
	of, live := i.sessions().NodeOf(session)
	return !live || of == node
}

// Append implements ship.Ingest. What a node ships of a session that is live on another one is not taken, so that
// nobody is first with another's record, or ends it.
func (i ingest) Append(ctx context.Context, node string, chunks []ship.Chunk) ([]ship.Ack, error) {
	var foreign []ship.Ack
	own := make([]ship.Chunk, 0, len(chunks))
	for _, ch := range chunks {
		switch {
		case i.owns(node, ch.Session):
			own = append(own, ch)
		case !slices.ContainsFunc(foreign, func(a ship.Ack) bool { return a.Session == ch.Session }):
			foreign = append(foreign, ship.Ack{Session: ch.Session, Diverged: true})
		}
	}
	if len(own) == 0 {
		return foreign, nil
	}
	acks, err := i.records.Append(ctx, node, own)
	if err != nil {
		return nil, err
	}
	for _, ch := range own {
		if ch.Ended {
			i.sessions().EndedOn(node, ch.Session)
		}
	}
	return append(acks, foreign...), nil
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

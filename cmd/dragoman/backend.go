package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

// What is here fits the rooms to the interfaces of the API, and their errors to
// the kinds that the API knows.

type tokenBackend struct{ c *control }

func (b tokenBackend) Mint(ctx context.Context, r token.MintRequest) (string, token.Issued, error) {
	if r.TTL == 0 {
		r.TTL, _ = b.c.cfg.Identity.Issuer.TTLs()
	}
	for _, t := range r.Targets {
		if b.c.cfg.Target(t) == nil {
			return "", token.Issued{}, fmt.Errorf("%w: no target %q", api.ErrInvalid, t)
		}
	}
	raw, issued, err := b.c.issuer.Mint(ctx, r)
	return raw, issued, invalid(err)
}

func (b tokenBackend) List(ctx context.Context, all bool, limit int) ([]token.Issued, error) {
	return b.c.tokens.List(ctx, all, limit)
}

func (b tokenBackend) Revoke(ctx context.Context, id, by, reason string) (identity.Revocation, error) {
	r, err := b.c.tokens.Revoke(ctx, id, by, reason)
	return r, invalid(err)
}

func (b tokenBackend) RevokeSubject(ctx context.Context, subject, by, reason string) (identity.Revocation, error) {
	r, err := b.c.tokens.RevokeSubject(ctx, subject, by, reason)
	return r, invalid(err)
}

// invalid is for backends that fail on what was asked for; a database that
// fails is shown as such all the same, in its own words.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", api.ErrInvalid, err)
}

type approvalBackend struct{ s *approval.Service }

func (b approvalBackend) List(ctx context.Context, f api.HoldFilter) ([]hold.Hold, error) {
	return b.s.List(ctx, approval.Filter{States: f.States, Target: f.Target, Session: f.Session, Limit: f.Limit})
}

func (b approvalBackend) Show(ctx context.Context, id string) (hold.Hold, error) {
	h, err := b.s.Show(ctx, id)
	return h, holdError(err)
}

func (b approvalBackend) Decide(ctx context.Context, v api.Vote) (hold.Hold, error) {
	vote := approval.Vote{ID: v.ID, Digest: v.Digest, By: v.By, Reason: v.Reason, Via: v.Via, ShapeFor: v.ShapeFor, ShapePool: v.ShapePool}
	if v.Approve {
		h, err := b.s.Approve(ctx, vote)
		return h, holdError(err)
	}
	h, err := b.s.Deny(ctx, vote)
	return h, holdError(err)
}

func (b approvalBackend) Watch(ctx context.Context) <-chan hold.Hold { return b.s.Watch(ctx) }

func holdError(err error) error {
	for _, k := range []struct{ is, as error }{
		{approval.ErrNotFound, api.ErrNotFound},
		{approval.ErrForbidden, api.ErrForbidden},
		{approval.ErrEnded, api.ErrConflict}, {approval.ErrTooLate, api.ErrConflict},
		{approval.ErrIllegal, api.ErrConflict}, {approval.ErrDigest, api.ErrConflict}, {approval.ErrInvalid, api.ErrInvalid},
	} {
		if errors.Is(err, k.is) {
			return fmt.Errorf("%w: %w", k.as, err)
		}
	}
	return err
}

type sessionBackend struct{ c *control }

// List leaves out the access log's own records, unless it is asked for them.
func (b sessionBackend) List(ctx context.Context, f audit.Filter) (audit.Page, error) {
	for {
		page, err := b.c.records.List(ctx, f)
		var wrong *index.QueryError
		if errors.As(err, &wrong) {
			return page, invalid(wrong)
		}
		if err != nil || f.Target == access.Target {
			return page, err
		}
		page.Sessions = slices.DeleteFunc(page.Sessions, func(s audit.Session) bool { return access.Is(s.ID) })
		if len(page.Sessions) > 0 || page.Next == "" {
			return page, nil
		}
		f.Cursor = page.Next
	}
}

func (b sessionBackend) Get(ctx context.Context, id string) (audit.Session, error) {
	s, err := b.c.records.Get(ctx, id)
	return s, sessionError(err)
}

func (b sessionBackend) Actions(ctx context.Context, id string, after uint64, limit int) ([]audit.Action, error) {
	return b.c.records.Actions(ctx, id, after, limit)
}

func (b sessionBackend) Frames(ctx context.Context, id string) (api.Frames, error) {
	r, err := b.c.records.Frames(ctx, id)
	if err != nil {
		return nil, sessionError(err)
	}
	return r, nil
}

func (b sessionBackend) Tail(ctx context.Context, id string, history bool) (api.Frames, error) {
	t, err := b.c.records.Tail(ctx, id, history)
	if err != nil {
		return nil, sessionError(err)
	}
	return t, nil
}

// maxWords bounds what an administrator says about an end, in bytes.
const maxWords = 200

func (b sessionBackend) End(_ context.Context, id, words string) error {
	if _, ok := b.c.sessions.Get(id); !ok {
		return fmt.Errorf("%w: no live session %s", api.ErrNotFound, id)
	}
	words = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, words)
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "")
	}
	return b.c.sessions.End(id, strings.TrimSuffix("admin: "+words, ": ")) // the client and the record are told
}

func (b sessionBackend) Lost(ctx context.Context, id string) error {
	if err := b.c.records.Lost(ctx, id); err != nil {
		return sessionError(err)
	}
	b.c.sessions.Ended(id)
	return nil
}

// Delete refuses what must be kept: targets under legal hold, and the log of who read what.
func (b sessionBackend) Delete(ctx context.Context, id string) error {
	row, err := b.c.records.Get(ctx, id)
	if err != nil {
		return sessionError(err)
	}
	if access.Is(id) {
		return fmt.Errorf("%w: the log of who read which record is not deleted by hand", api.ErrForbidden)
	}
	for _, t := range b.c.cfg.Targets {
		if t.Name == row.Target && t.Audit.LegalHold {
			return fmt.Errorf("%w: records of %s are under legal hold (audit.legal_hold)", api.ErrConflict, t.Name)
		}
	}
	if err := b.c.records.Delete(ctx, audit.Requested, id); errors.Is(err, audit.ErrLive) {
		return fmt.Errorf("%w: %w; end the session first, or wait until it is sealed", api.ErrConflict, err)
	} else if err != nil {
		return sessionError(err)
	}
	return nil
}

// readBackend is the access log with the store that it is kept in.
type readBackend struct{ c *control }

func (b readBackend) Record(r access.Read) error { return b.c.access.Record(r) }

func (b readBackend) List(ctx context.Context, f access.Filter) ([]access.Entry, error) {
	if err := b.c.access.Settle(ctx); err != nil {
		return nil, err
	}
	return access.Find(ctx, b.c.records, f)
}

func sessionError(err error) error {
	if errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("%w: %w", api.ErrNotFound, err)
	}
	return err
}

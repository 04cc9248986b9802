package access

import (
	"context"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
	pageSize     = 200
)

// Store is what the listing reads; *audit.Store is one.
type Store interface {
	List(ctx context.Context, f audit.Filter) (audit.Page, error)
	Actions(ctx context.Context, id string, after uint64, limit int) ([]audit.Action, error)
}

// Filter chooses reads. Zero fields do not matter.
type Filter struct {
	Session  string // that was read
	Identity string // any actor of the reader's chain
	Since    time.Time
	Until    time.Time
	Limit    int // 0 means 100; at most 10,000
}

// Find lists reads, newest first.
func Find(ctx context.Context, s Store, f Filter) ([]Entry, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	q := audit.Filter{Target: Target, Table: f.Session, Identity: f.Identity, Until: f.Until, Limit: pageSize}
	if !f.Since.IsZero() {
		q.Since = f.Since.Add(-span)
	}
	found := []Entry{}
	for {
		page, err := s.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Sessions {
			// A session has no read after its start and the span: when there are enough that are
			// newer than that, no older session has a newer one.
			if len(found) >= limit && found[limit-1].Time.After(row.Started.Add(span)) {
				return found[:limit], nil
			}
			if found, err = one(ctx, s, f, row, found); err != nil {
				return nil, err
			}
			slices.SortStableFunc(found, func(a, b Entry) int { return b.Time.Compare(a.Time) })
			found = found[:min(len(found), limit)]
		}
		if page.Next == "" {
			return found, nil
		}
		q.Cursor = page.Next
	}
}

// one adds the reads of one session of this log.
func one(ctx context.Context, s Store, f Filter, row audit.Session, found []Entry) ([]Entry, error) {
	list, err := s.Actions(ctx, row.ID, 0, maxLimit)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.Kind != Kind || a.Time.Before(f.Since) || (!f.Until.IsZero() && !a.Time.Before(f.Until)) {
			continue
		}
		if f.Session != "" && !slices.ContainsFunc(a.Tables, func(t string) bool { return strings.EqualFold(t, f.Session) }) {
			continue
		}
		e := Entry{Time: a.Time, By: row.Subject, Chain: row.Actors, Groups: row.Groups, Method: row.Method, Issuer: row.Issuer,
			Via: row.Application, Client: row.Client, Sessions: a.Tables, Text: a.Text, Allowed: a.Verdict == "allow", Reason: a.Reason,
			Record: row.ID, Action: a.Ordinal}
		if len(a.Verbs) > 0 {
			e.Way = a.Verbs[0]
		}
		found = append(found, e)
	}
	return found, nil
}

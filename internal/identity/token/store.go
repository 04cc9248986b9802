package token

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// Issued is one token that was handed out, without the token.
type Issued struct {
	Identity identity.Identity `json:"identity"` // TokenID and Expires are in it
	Targets  []string          `json:"targets,omitempty"`
	Issued   time.Time         `json:"issued"`
	By       string            `json:"by"`
	// Revoked is the revocation that covers it, or nil.
	Revoked *identity.Revocation `json:"revoked,omitempty"`
}

// Store keeps what was issued and revoked, in SQLite or in PostgreSQL. It implements
// identity.Revocations. Several processes may use one file or database: revocations made
// by another are seen within pollEvery, or at once.
type Store struct {
	d    dialect
	db   *sql.DB
	now  func() time.Time
	log  *slog.Logger
	feed *feed
}

var _ identity.Revocations = (*Store)(nil)

// NewStore prepares the tables in db (see sqlitedb.Open), which stays the
// caller's. Close ends the watch for revocations.
func NewStore(ctx context.Context, db *sql.DB, now func() time.Time, log *slog.Logger) (*Store, error) {
	if err := sqlitedb.Migrate(ctx, db, "token", schema...); err != nil {
		return nil, err
	}
	return newStore(ctx, embedded{}, db, now, log)
}

func newStore(ctx context.Context, d dialect, db *sql.DB, now func() time.Time, log *slog.Logger) (*Store, error) {
	s := &Store{d: d, db: db, now: now, log: log}
	var last int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM revocation`).Scan(&last); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	s.feed = newFeed(s, last)
	return s, nil
}

// Close ends the watch and waits for it.
func (s *Store) Close() { s.feed.close() }

func (s *Store) add(ctx context.Context, is Issued) error {
	id, err1 := json.Marshal(is.Identity)
	targets, err2 := json.Marshal(is.Targets)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	_, err := s.db.ExecContext(ctx, s.d.bind(`INSERT INTO token VALUES (?, ?, ?, ?, ?, ?)`), is.Identity.TokenID,
		string(id), string(targets), is.Issued.UnixNano(), is.Identity.Expires.UnixNano(), is.By)
	if err != nil {
		return fmt.Errorf("token: listing a token: %w", err)
	}
	return nil
}

// issuedAt is when a token was issued, to the nanosecond (its "iat" has
// seconds only); known is false for one that is not listed.
func (s *Store) issuedAt(ctx context.Context, id string) (at time.Time, known bool, err error) {
	var nano int64
	err = s.db.QueryRowContext(ctx, s.d.bind(`SELECT issued FROM token WHERE id = ?`), id).Scan(&nano)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return time.Unix(0, nano).UTC(), err == nil, err
}

// Revoke takes back one credential by its id, whoever issued it.
func (s *Store) Revoke(ctx context.Context, tokenID, by, reason string) (identity.Revocation, error) {
	if tokenID == "" || len(tokenID) > identity.MaxName {
		return identity.Revocation{}, errors.New("token: which token? give its id (dragoman token list)")
	}
	return s.revoke(ctx, identity.Revocation{TokenID: tokenID, By: by, Reason: reason})
}

// RevokeSubject takes back every credential issued until now in whose chain
// the subject is, as principal or actor, of any issuer.
func (s *Store) RevokeSubject(ctx context.Context, subject, by, reason string) (identity.Revocation, error) {
	if err := identity.CheckName(subject); err != nil {
		return identity.Revocation{}, err
	}
	return s.revoke(ctx, identity.Revocation{Subject: subject, By: by, Reason: reason})
}

func (s *Store) revoke(ctx context.Context, r identity.Revocation) (identity.Revocation, error) {
	r.At = s.now().UTC()
	id, err := s.d.revoke(ctx, s.db, r)
	if err != nil {
		return identity.Revocation{}, fmt.Errorf("token: revoking: %w", err)
	}
	r.ID = id
	s.feed.wake()
	return r, nil
}

// Restore lifts the revocations of a subject, so that its certificate, which
// cannot be issued anew like a token, is good again.
func (s *Store) Restore(ctx context.Context, subject string) error {
	if _, err := s.db.ExecContext(ctx, s.d.bind(`DELETE FROM revocation WHERE `+s.d.subject()+` AND subject != ''`), subject); err != nil {
		return fmt.Errorf("token: restoring: %w", err)
	}
	return nil
}

// Check implements identity.Revocations.
func (s *Store) Check(ctx context.Context, p identity.Proof) error {
	r, err := s.covering(ctx, p)
	if err != nil {
		return fmt.Errorf("token: looking up revocations: %w", err)
	}
	if r != nil {
		return identity.Refuse(identity.ReasonRevoked, "revoked at %s by %s: %s", r.At.Format(time.RFC3339), r.By, r.Reason)
	}
	return nil
}

// covering finds a revocation that hits the credential, or nil.
func (s *Store) covering(ctx context.Context, p identity.Proof) (*identity.Revocation, error) {
	query := `SELECT ` + revocationColumns + ` FROM revocation WHERE (token_id = ? AND token_id != '')`
	args := []any{p.Identity.TokenID}
	for _, a := range p.Identity.Actors {
		query += ` OR (` + s.d.subject() + ` AND subject != '')`
		args = append(args, a)
	}
	all, err := s.revocations(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Covers(p) {
			return &r, nil
		}
	}
	return nil, nil
}

const revocationColumns = `id, token_id, subject, at, by_whom, reason`

func (s *Store) revocations(ctx context.Context, query string, args ...any) ([]identity.Revocation, error) {
	rows, err := s.db.QueryContext(ctx, s.d.bind(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []identity.Revocation
	for rows.Next() {
		var r identity.Revocation
		var at int64
		if err := rows.Scan(&r.ID, &r.TokenID, &r.Subject, &at, &r.By, &r.Reason); err != nil {
			return nil, err
		}
		r.At = time.Unix(0, at).UTC()
		all = append(all, r)
	}
	return all, rows.Err()
}

// List gives the tokens that have not expired, newest first, at most limit;
// with all, expired ones that are not yet pruned as well.
func (s *Store) List(ctx context.Context, all bool, limit int) ([]Issued, error) {
	since := s.now().UnixNano()
	if all {
		since = 0
	}
	rows, err := s.db.QueryContext(ctx, s.d.bind(`SELECT identity, targets, issued, by_whom FROM token WHERE expires > ? ORDER BY issued DESC, id DESC LIMIT ?`), since, limit)
	if err != nil {
		return nil, fmt.Errorf("token: listing: %w", err)
	}
	defer rows.Close()
	list := []Issued{}
	for rows.Next() {
		var is Issued
		var id, targets string
		var issued int64
		if err := rows.Scan(&id, &targets, &issued, &is.By); err != nil {
			return nil, fmt.Errorf("token: listing: %w", err)
		}
		if err := errors.Join(json.Unmarshal([]byte(id), &is.Identity), json.Unmarshal([]byte(targets), &is.Targets)); err != nil {
			return nil, fmt.Errorf("token: listing: %w", err)
		}
		is.Issued = time.Unix(0, issued).UTC()
		list = append(list, is)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("token: listing: %w", err)
	}
	for i, is := range list {
		if list[i].Revoked, err = s.covering(ctx, identity.Proof{Identity: is.Identity, Issued: is.Issued}); err != nil {
			return nil, fmt.Errorf("token: listing: %w", err)
		}
	}
	return list, nil
}

// Prune forgets tokens that expired before the given time. Revocations stay.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	if _, err := s.db.ExecContext(ctx, s.d.bind(`DELETE FROM token WHERE expires < ?`), before.UnixNano()); err != nil {
		return fmt.Errorf("token: pruning: %w", err)
	}
	return nil
}

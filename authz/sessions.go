package authz

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// Reasons for which the registry ends a session, as in record.Close.
const (
	EndRevoked = "revoked"
	EndExpired = "expired"
)

// Live is one open session.
type Live struct {
	Session  policy.Session    `json:"session"`
	Identity identity.Identity `json:"identity"`
	Issued   time.Time         `json:"issued,omitzero"` // of the credential
	Target   policy.Target     `json:"target"`
	Node     string            `json:"node"`
	// Ends is when it must end; zero means that no time is set.
	Ends time.Time `json:"ends,omitzero"`
}

func (l Live) proof() identity.Proof { return identity.Proof{Identity: l.Identity, Issued: l.Issued} }

// SessionEnder tells the gateway that has a session to end it.
type SessionEnder interface {
	// EndSession returns nil when the gateway has ended it or no longer has
	// it; after an error it is called again.
	EndSession(ctx context.Context, id, reason string) error
}

// Sessions is the registry of live sessions. It ends those whose credential is revoked or expires.
// It outlives a restart in SQLite, since the sessions in Envoy do.
type Sessions struct {
	db    *sql.DB
	ender SessionEnder
	revs  identity.Revocations
	now   func() time.Time
	log   *slog.Logger

	ctx    context.Context
	stop   context.CancelFunc
	cancel func() // the subscription
	wg     sync.WaitGroup
	calls  chan struct{} // bounds concurrent EndSession calls

	mu   sync.Mutex
	live map[string]*entry
}

type entry struct {
	Live
	ending string        // the reason, once it is being ended
	gone   chan struct{} // closed then, and when it is over
	once   sync.Once
	expiry *time.Timer // nil without an end
}

func (e *entry) over() { e.once.Do(func() { close(e.gone) }) }

// maxEndCalls bounds how many gateways are told at once.
const maxEndCalls = 64

var sessionSchema = []string{`
CREATE TABLE live_session (
	id   TEXT PRIMARY KEY,
	body TEXT NOT NULL -- JSON of Live
) STRICT;
`}

// NewSessions loads the sessions that were live when the control plane
// stopped, and ends those that were revoked or expired meanwhile. db may be one
// of sqlitedb.OpenRelaxed, which makes opening a session quicker: sessions do not
// outlive the machine.
func NewSessions(ctx context.Context, db *sql.DB, revs identity.Revocations, ender SessionEnder, now func() time.Time, log *slog.Logger) (*Sessions, error) {
	if err := sqlitedb.Migrate(ctx, db, "live_session", sessionSchema...); err != nil {
		return nil, err
	}
	s := &Sessions{db: db, ender: ender, revs: revs, now: now, log: log,
		calls: make(chan struct{}, maxEndCalls), live: map[string]*entry{}}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = revs.Subscribe(s.revoked) // before loading, so that none is missed
	if err := s.load(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close stops ending sessions; what is live stays listed for the next start.
func (s *Sessions) Close() {
	s.cancel()
	s.stop()
	s.mu.Lock()
	for _, e := range s.live {
		if e.expiry != nil {
			e.expiry.Stop()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Sessions) load(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, `SELECT body FROM live_session`)
	if err != nil {
		return fmt.Errorf("authz: loading sessions: %w", err)
	}
	defer rows.Close()
	var all []Live
	for rows.Next() {
		var body string
		var l Live
		if err := rows.Scan(&body); err != nil {
			return fmt.Errorf("authz: loading sessions: %w", err)
		}
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			return fmt.Errorf("authz: loading sessions: %w", err)
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("authz: loading sessions: %w", err)
	}
	for _, l := range all {
		s.keep(l)
		if err := s.revs.Check(ctx, l.proof()); err != nil {
			s.end(l.Session.ID, EndRevoked)
		}
	}
	return nil
}

// Add registers a session before its opening is answered.
func (s *Sessions) Add(ctx context.Context, l Live) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("authz: registering a session: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `INSERT INTO live_session VALUES (?, ?)`, l.Session.ID, string(body)); err != nil {
		return fmt.Errorf("authz: registering a session: %w", err)
	}
	s.keep(l)
	return nil
}

func (s *Sessions) keep(l Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{Live: l, gone: make(chan struct{})}
	s.live[l.Session.ID] = e
	if !l.Ends.IsZero() {
		e.expiry = time.AfterFunc(max(0, l.Ends.Sub(s.now())), func() { s.end(l.Session.ID, EndExpired) })
	}
}

// Ended says that a session is over: its record is sealed, or it never began.
func (s *Sessions) Ended(id string) {
	s.mu.Lock()
	e, ok := s.live[id]
	delete(s.live, id)
	s.mu.Unlock()
	if !ok {
		return
	}
	e.over()
	if e.expiry != nil {
		e.expiry.Stop()
	}
	// Not the caller's context: it may be what ended the session.
	if _, err := s.db.ExecContext(context.WithoutCancel(s.ctx), `DELETE FROM live_session WHERE id = ?`, id); err != nil {
		s.log.Error("forgetting a session", "session", id, "err", err)
	}
}

// Get finds a session that may still act.
func (s *Sessions) Get(id string) (Live, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live[id]
	if !ok || e.ending != "" {
		return Live{}, false
	}
	return e.Live, true
}

// Bind finds a session like Get, with a context that ends with it.
func (s *Sessions) Bind(ctx context.Context, id string) (Live, context.Context, context.CancelFunc, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live[id]
	if !ok || e.ending != "" {
		return Live{}, nil, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-e.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	return e.Live, ctx, cancel, true
}

// List gives all live sessions, oldest first.
func (s *Sessions) List() []Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Live, 0, len(s.live))
	for _, e := range s.live {
		list = append(list, e.Live)
	}
	slices.SortFunc(list, func(a, b Live) int { return strings.Compare(a.Session.ID, b.Session.ID) })
	return list
}

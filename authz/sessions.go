package authz

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/policy"
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
// It outlives a restart in SQLite, since the sessions in Envoy do; or it is in PostgreSQL, and several replicas have
// it in common: each one knows all sessions, and that one ends a session to which its gateway is connected.
type Sessions struct {
	store sessionStore
	ender SessionEnder
	revs  identity.Revocations
	now   func() time.Time
	log   *slog.Logger

	ctx    context.Context
	stop   context.CancelFunc
	cancel func() // the subscription
	wg     sync.WaitGroup
	calls  chan struct{} // bounds concurrent EndSession calls
	// changes are ids of sessions that another replica may have changed; "" for any.
	changes chan string
	missed  atomic.Bool // some were left out

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

const (
	// maxEndCalls bounds how many gateways are told at once.
	maxEndCalls = 64
	// maxChanges is how many changes by others may wait; when there are more, all sessions are read again.
	maxChanges = 1024
)

// NewSessions loads the sessions that were live when the control plane
// stopped, and ends those that were revoked or expired meanwhile. db may be one
// of sqlitedb.OpenRelaxed, which makes opening a session quicker: sessions do not
// outlive the machine.
func NewSessions(ctx context.Context, db *sql.DB, revs identity.Revocations, ender SessionEnder, now func() time.Time, log *slog.Logger) (*Sessions, error) {
	store, err := newEmbeddedSessions(ctx, db)
	if err != nil {
		return nil, err
	}
	return newSessions(ctx, store, revs, ender, now, log)
}

// NewSharedSessions is NewSessions for one of several replicas. db stays the caller's.
func NewSharedSessions(ctx context.Context, db *pgdb.DB, revs identity.Revocations, ender SessionEnder, now func() time.Time, log *slog.Logger) (*Sessions, error) {
	store, err := newSharedSessions(ctx, db)
	if err != nil {
		return nil, err
	}
	return newSessions(ctx, store, revs, ender, now, log)
}

func newSessions(ctx context.Context, store sessionStore, revs identity.Revocations, ender SessionEnder, now func() time.Time, log *slog.Logger) (*Sessions, error) {
	s := &Sessions{store: store, ender: ender, revs: revs, now: now, log: log,
		calls: make(chan struct{}, maxEndCalls), changes: make(chan string, maxChanges), live: map[string]*entry{}}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	// Before loading, so that none is missed.
	unsubscribe, unwatch := revs.Subscribe(s.revoked), store.watch(s.changed)
	s.cancel = func() { unsubscribe(); unwatch() }
	if err := s.load(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.wg.Go(s.follow)
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
	all, err := s.store.all(ctx)
	if err != nil {
		return fmt.Errorf("authz: loading sessions: %w", err)
	}
	for _, one := range all {
		s.adopt(ctx, one)
	}
	return nil
}

// adopt takes up a session that another process opened, and ends it when it must be.
func (s *Sessions) adopt(ctx context.Context, one storedSession) {
	id := one.live.Session.ID
	if !s.listed(id) {
		s.keep(one.live)
		if err := s.revs.Check(ctx, one.live.proof()); err != nil {
			s.end(id, EndRevoked)
		}
	}
	if one.ending != "" {
		s.end(id, one.ending)
	}
}

// Add registers a session before its opening is answered.
func (s *Sessions) Add(ctx context.Context, l Live) error {
	if err := s.store.add(ctx, l); err != nil {
		return fmt.Errorf("authz: registering a session: %w", err)
	}
	s.keep(l)
	return nil
}

func (s *Sessions) keep(l Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[l.Session.ID] != nil {
		return // told of it already
	}
	e := &entry{Live: l, gone: make(chan struct{})}
	s.live[l.Session.ID] = e
	if !l.Ends.IsZero() {
		e.expiry = time.AfterFunc(max(0, l.Ends.Sub(s.now())), func() { s.end(l.Session.ID, EndExpired) })
	}
}

// Ended says that a session is over: its record is sealed, or it never began.
func (s *Sessions) Ended(id string) {
	if !s.forget(id) && !s.store.shared() {
		return
	}
	// Not the caller's context: it may be what ended the session.
	if err := s.store.remove(context.WithoutCancel(s.ctx), id); err != nil {
		s.log.Error("forgetting a session", "session", id, "err", err)
	}
}

// EndedOn is Ended, by the word of a node: only that of the session's own counts, since who forgets a session ends it no more.
func (s *Sessions) EndedOn(node, id string) {
	s.find(id)
	switch of, ok := s.NodeOf(id); {
	case !ok:
	case of != node:
		s.log.Error("a node says that another's session is over", "session", id, "node", node, "of_node", of)
	default:
		s.Ended(id)
	}
}

// NodeOf is the node that has a live session, as far as it is known here.
func (s *Sessions) NodeOf(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live[id]
	if !ok {
		return "", false
	}
	return e.Node, true
}

// forget lets go of a session here.
func (s *Sessions) forget(id string) bool {
	s.mu.Lock()
	e, ok := s.live[id]
	delete(s.live, id)
	s.mu.Unlock()
	if !ok {
		return false
	}
	e.over()
	if e.expiry != nil {
		e.expiry.Stop()
	}
	return true
}

// Get finds a session that may still act.
func (s *Sessions) Get(id string) (Live, bool) {
	s.find(id)
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
	s.find(id)
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

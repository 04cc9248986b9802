package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/bridgefeed"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/notify"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/policy/pushes"
	"dragoman.dev/dragoman/internal/record/ship"
	sqlstmt "dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sqlitedb"
	"dragoman.dev/dragoman/internal/telemetry"
	"dragoman.dev/dragoman/internal/translog"
	"dragoman.dev/dragoman/xds"
)

// control is the control plane: every service, wired.
type control struct {
	cfg     *config.Config
	log     *slog.Logger
	started time.Time

	db         *sql.DB
	shared     *pgdb.DB   // nil: everything is in the data folder
	lost       chan error // another process has taken the database over: this one must end
	tokens     *token.Store
	issuer     *token.Issuer
	assertions *token.Keys // sign identity chains for HTTP targets
	auth       *identity.Authenticator
	approvals  *approval.Service
	left       chan hold.Hold // whose process is gone, for notices; nil: nobody is told
	sessions   *authz.Sessions
	authz      *authz.Service
	records    records
	access     *access.Log
	requests   *access.Log // of Envoys that ask and do not record
	telemetry  *telemetry.Telemetry
	ready      atomic.Bool      // every listener of the local Envoy serves
	notify     *notify.Delivery // nil when nobody is told
	relay      *notify.Relay    // nil: no collector takes spans
	ship       *ship.Server
	xds        *xds.Server
	policy     *xds.Policy
	pushes     *pushes.Log // which policy was in force when
	engine     policy.Handle
	bundle     atomic.Pointer[policy.Bundle] // what engine is made of
	bridges    *bridgefeed.Server            // tells bridges on other nodes

	closers []func() error // in order of opening
}

// newControl opens everything under the data folder and puts the policy in
// force. ctx ends the xDS streams. The caller closes it, also after an error.
func newControl(ctx context.Context, cfg *config.Config, log *slog.Logger) (*control, error) {
	c := &control{cfg: cfg, log: log, started: time.Now(), lost: make(chan error, 1)}
	unlock, err := c.lockSetup(ctx)
	if err != nil {
		return c, err
	}
	defer unlock()
	for _, step := range []func(context.Context) error{
		c.makeFolders, c.openDatabase, c.openIdentity, c.openTelemetry, c.openRecords, c.openApprovals, c.openSessions, c.openAuthz, c.openXDS,
	} {
		if err := step(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

// background runs f until the control plane is closed.
func (c *control) background(f func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	c.onClose(func() error { stop(); <-done; return nil })
}

func (c *control) onClose(f func() error) { c.closers = append(c.closers, f) }

func (c *control) close() error {
	var errs []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		errs = append(errs, c.closers[i]())
	}
	return errors.Join(errs...)
}

func (c *control) makeFolders(context.Context) error {
	if err := c.checkFolders(); err != nil {
		return err
	}
	for _, dir := range []string{c.cfg.Data, c.cfg.RunDir(), c.cfg.KeysDir(), c.cfg.SpoolDir(), c.cfg.AuditDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("the data folder: %w", err)
		}
	}
	// Secrets and records are in it, whatever it was before.
	if err := os.Chmod(c.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	unlock, err := lockData(c.cfg)
	if err != nil {
		return err
	}
	c.onClose(unlock)
	return nil
}

func (c *control) openIdentity(ctx context.Context) (err error) {
	if err := c.openTokens(ctx); err != nil {
		return err
	}
	c.onClose(func() error { c.tokens.Close(); return nil })
	keys, err := token.OpenKeys(c.cfg.Identity.Issuer.Keys, time.Now)
	if err != nil {
		return err
	}
	if err := c.openAssertions(); err != nil {
		return err
	}
	c.issuer = token.NewIssuer(keys, c.tokens, token.Config{Name: c.cfg.Identity.Issuer.Name, MaxTTL: c.cfg.Identity.Issuer.MaxTTL.Std(), Now: time.Now})
	c.auth, err = authenticatorOf(c.cfg, c.issuer, c.tokens, c.log)
	return err
}

// openTokens opens the store of tokens and revocations.
func (c *control) openTokens(ctx context.Context) (err error) {
	if c.cfg.Replicas.Set() {
		c.tokens, err = token.NewPostgres(ctx, c.shared, time.Now, c.log)
		return err
	}
	if c.db, err = sqlitedb.Open(c.cfg.StateFile()); err != nil {
		return err
	}
	c.onClose(c.db.Close)
	c.tokens, err = token.NewStore(ctx, c.db, time.Now, c.log)
	return err
}

func (c *control) openRecords(ctx context.Context) error {
	opt, err := recordOptions(ctx, c.cfg, c.log, c.onClose)
	if err != nil {
		return err
	}
	told, err := c.openNotify(ctx)
	if err != nil {
		return err
	}
	opt.Feed = feeds{c.telemetry}
	if told != nil {
		opt.Feed = feeds{told, c.telemetry}
	}
	if c.records, err = c.keepRecords(ctx, opt); err != nil {
		return err
	}
	c.background(c.retain)
	if c.access, err = access.Open(access.Options{Dir: c.cfg.AccessDir(), Ingest: c.records, Node: accessNode, Log: c.log, Now: time.Now}); err != nil {
		return err
	}
	c.closes(c.access, "records of who read what")
	if err := c.openRequests(); err != nil {
		return err
	}
	in := ingest{c.records, func() *authz.Sessions { return c.sessions }}
	c.ship = ship.NewServer(ship.ServerOptions{Ingest: in, Owns: in.owns, Log: c.log,
		Authenticate: func(ctx context.Context, claimed string) (string, error) { return c.xds.Caller(ctx, claimed) }})
	return nil
}

func (c *control) openApprovals(ctx context.Context) error {
	store, err := c.holdStore(ctx)
	if err != nil {
		return err
	}
	c.approvals, err = approval.New(ctx, store, approval.Config{
		Rules:     approval.Rules{AllowDelegated: c.cfg.Approvals.AllowDelegated, MinQuorum: c.cfg.Approvals.MinQuorum},
		Owner:     c.owner(),
		Approvers: c.cfg.Approvals.Approvers,
		Estimate:  c.estimates(),
		Left:      c.leaves(),
		Now:       time.Now, Log: c.log,
	})
	if err == nil {
		c.onClose(func() error { c.approvals.Close(); return nil })
		c.background(c.prune)
		c.background(c.withdrawLeft)
		err = c.openNotices()
	}
	return err
}

func (c *control) openSessions(ctx context.Context) (err error) {
	if c.cfg.Replicas.Set() {
		c.sessions, err = authz.NewSharedSessions(ctx, c.shared, c.tokens, ender{c.ship}, time.Now, c.log)
		if err == nil {
			c.onClose(func() error { c.sessions.Close(); return nil })
		}
		return err
	}
	// Opening a session does not wait for the disk: what is live does not outlive the machine.
	relaxed, err := sqlitedb.OpenRelaxed(c.cfg.StateFile())
	if err != nil {
		return err
	}
	c.onClose(relaxed.Close)
	c.sessions, err = authz.NewSessions(ctx, relaxed, c.tokens, ender{c.ship}, time.Now, c.log)
	if err == nil {
		c.onClose(func() error { c.sessions.Close(); return nil })
	}
	return err
}

func (c *control) openAuthz(context.Context) error {
	key, err := maskKey(c.cfg)
	if err != nil {
		return err
	}
	var auth authz.Authenticator = c.auth
	if !*c.cfg.Identity.EndSessionsAtExpiry {
		auth = endless{c.auth}
	}
	c.authz, err = authz.New(authz.Options{
		Authenticator: auth,
		Judge: authz.JudgeFunc(func(ctx context.Context, in *policy.Input, st *sqlstmt.Statement) policy.Decision {
			return c.engine.Engine().Judge(ctx, in, st) // a nil engine blocks
		}),
		Targets:    c.targetsOf(),
		Approvals:  c.approvals,
		Sessions:   c.sessions,
		MaskKey:    key,
		Understand: understand,
		Requests:   c.requests,
		Mode:       c.modeOf,
		Page:       c.pageURL(),
		Node:       func(ctx context.Context, claimed string) (string, error) { return c.xds.Caller(ctx, claimed) },
		Now:        time.Now, Log: c.log,
	})
	return err
}

func (c *control) openXDS(ctx context.Context) (err error) {
	if c.pushes, err = pushes.Open(c.pushesFile(), time.Now); err != nil {
		return err
	}
	c.xds = xds.NewServer(ctx, xds.Options{Config: c.cfg, ReadFile: os.ReadFile, Now: time.Now, Log: c.log})
	c.bridges = bridgefeed.NewServer(bridgefeed.ServerOptions{Authenticate: c.xds.Caller, Document: c.bridgeDocument, Log: c.log})
	c.policy = xds.NewPolicy(xds.PolicyOptions{Source: c.cfg.Policy.Source(), Push: c.pushPolicy, Now: time.Now, Log: c.log})
	if err := c.policy.Load(ctx); err != nil {
		return &exitError{exitUsage, fmt.Errorf("the policy is not good:\n%w", err)}
	}
	c.background(c.followPolicy)
	return nil
}

// pushPolicy puts a good policy in force here and on every node.
func (c *control) pushPolicy(ctx context.Context, b policy.Bundle, e *policy.Engine) error {
	if err := c.xds.Apply(ctx, c.cfg, b); err != nil {
		return err
	}
	c.engine.Swap(e)
	c.bundle.Store(&b)
	c.bridges.Changed()
	c.keepPush(b.Revision)
	c.tellPolicy(ctx, b.Revision)
	return nil
}

// closes gives what a log still has to the store when the control plane stops. With replicas, all of which may be stopping, that
// may fail: then it waits in the spool for the next start. what it has is for the log.
func (c *control) closes(l *access.Log, what string) {
	c.onClose(func() error {
		err := l.Close()
		if err != nil && c.cfg.Replicas.Set() {
			c.log.Warn(what+" wait in the spool", "err", err)
			return nil
		}
		return err
	})
}

// accessNode is the node of the access log's records: no Envoy can have this name.
const accessNode = "(control)"

// witnessesOf are those that cosign the log's checkpoints.
func witnessesOf(cfg *config.Config) ([]translog.Witness, error) {
	var all []translog.Witness
	for i, w := range cfg.Trail.Log.Witnesses {
		u, err := url.Parse(w.URL)
		if err != nil {
			return nil, fmt.Errorf("audit.log.witnesses[%d].url: %w", i, err)
		}
		all = append(all, translog.Witness{Key: w.Key, URL: u})
	}
	return all, nil
}

// register puts the services for Envoys on a gRPC server.
func (c *control) register(s *grpc.Server) {
	c.authz.Register(s)
	c.ship.Register(s)
	c.xds.Register(s)
	c.bridges.Register(s)
	if c.relay != nil {
		c.relay.Register(s)
	}
}

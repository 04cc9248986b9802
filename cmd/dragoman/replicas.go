package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/audit/replica"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/web/api"
)

// records is what the control plane does with records, which it keeps alone or with other replicas.
type records interface {
	ship.Ingest
	access.Store
	api.Proofs
	Get(ctx context.Context, id string) (audit.Session, error)
	Frames(ctx context.Context, id string) (*record.Reader, error)
	Tail(ctx context.Context, id string, history bool) (api.Frames, error)
	Lost(ctx context.Context, id string) error
	Delete(ctx context.Context, why audit.DeletionReason, ids ...string) error
	// Mine is the store, when it is this process that keeps the records now; or nil.
	Mine() *audit.Store
}

// ownRecords are those of the only control plane.
type ownRecords struct{ *audit.Store }

func (r ownRecords) Tail(ctx context.Context, id string, history bool) (api.Frames, error) {
	return r.Store.Tail(ctx, id, history)
}

func (r ownRecords) Mine() *audit.Store { return r.Store }

// commonRecords are those of several: written by one of them, read by each.
type commonRecords struct {
	*audit.Reader
	*replica.Keeper
}

func (r commonRecords) Tail(ctx context.Context, id string, history bool) (api.Frames, error) {
	return r.Reader.Tail(ctx, id, history)
}

func (r commonRecords) Mine() *audit.Store { return r.Keeper.Store() }

// keepRecords opens the store, or with replicas takes part in keeping the common one.
func (c *control) keepRecords(ctx context.Context, opt audit.Options) (records, error) {
	if !c.cfg.Replicas.Set() {
		var err error
		if opt.Index, err = c.sharedIndex(ctx); err != nil {
			return nil, err
		}
		s, err := audit.Open(c.cfg.AuditDir(), opt)
		if err != nil {
			return nil, err
		}
		c.onClose(s.Close)
		return ownRecords{s}, nil
	}
	x, err := sqlindex.NewPostgres(ctx, c.shared)
	if err != nil {
		return nil, err
	}
	c.onClose(x.Close)
	reader := audit.NewReader(c.cfg.AuditDir(), audit.ReaderOptions{Index: x, Blobs: opt.Blobs, Keys: opt.Keys})
	c.onClose(reader.Close)
	r := c.cfg.Replicas
	k, err := replica.Open(ctx, replica.Options{DB: c.shared, Name: r.Name, Listen: r.Listen, Address: r.Address, Folder: r.Folder, Log: c.log,
		Lost:  func(err error) { report(c.lost, err) },
		Force: c.cfg.Trail.Bodies.URL == "" && replica.Local(r.Folder),
		Store: func(ctx context.Context, t replica.Tenure) (*audit.Store, func() error, error) {
			return c.tenure(ctx, t, opt)
		}})
	if err != nil {
		return nil, err
	}
	c.onClose(k.Close)
	return commonRecords{reader, k}, nil
}

// tenure opens the store of records for the time in which this replica keeps them. Files are written by the tenure's way only.
func (c *control) tenure(ctx context.Context, t replica.Tenure, opt audit.Options) (*audit.Store, func() error, error) {
	mine := *c.cfg
	mine.Replicas.Folder = t.Folder
	if t.Forced {
		if err := audit.TakeOver(ctx, mine.AuditDir()); err != nil {
			return nil, nil, err
		}
	}
	blobs, closed, err := openBodies(ctx, &mine)
	if err != nil {
		return nil, nil, err
	}
	opt.Blobs = blobs
	if opt.Index, err = sqlindex.NewPostgresOf(ctx, c.shared, t.Term); err != nil {
		return nil, nil, errors.Join(err, closed())
	}
	s, err := audit.Open(mine.AuditDir(), opt)
	if err != nil {
		return nil, nil, errors.Join(err, closed())
	}
	return s, closed, nil
}

// owner names this process as the one that calls of gateways wait in.
func (c *control) owner() string {
	if c.cfg.Replicas.Set() {
		return c.cfg.Replicas.Name
	}
	return "local"
}

const (
	// leftEvery is how often holds of replicas that are gone are looked for.
	leftEvery = 2 * time.Second
	// goneAfter is how many times in a row one must be gone: it may only be connecting to the database again.
	goneAfter = 3
)

// withdrawLeft withdraws the holds that a dead replica left open, until ctx ends.
func (c *control) withdrawLeft(ctx context.Context) {
	common, ok := c.records.(commonRecords)
	if !ok {
		return
	}
	tick := time.NewTicker(leftEvery)
	defer tick.Stop()
	gone := map[string]int{}
	for {
		if err := c.withdrawLeftOnce(ctx, common.Keeper, gone); err != nil && ctx.Err() == nil {
			c.log.Warn("holds of replicas that are gone cannot be looked for", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// withdrawLeftOnce counts in gone how often a replica was.
func (c *control) withdrawLeftOnce(ctx context.Context, k *replica.Keeper, gone map[string]int) error {
	others, err := c.approvals.OtherOwners(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range others {
		alive, err := k.Alive(ctx, name)
		switch {
		case err != nil:
		case alive:
			delete(gone, name)
		default:
			if gone[name]++; gone[name] >= goneAfter {
				err = c.approvals.WithdrawLeft(ctx, name)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// policyChannel tells replicas that one of them has put another policy in force: they look at their own source at once.
const policyChannel = "policy"

func (c *control) tellPolicy(ctx context.Context, revision string) {
	if !c.cfg.Replicas.Set() {
		return
	}
	if _, err := c.shared.SQL.ExecContext(ctx, pgdb.Notify, policyChannel+":"+revision); err != nil {
		c.log.Warn("other replicas are not told of the policy; they find it themselves", "err", err)
	}
}

// followPolicy loads the policy when another replica did, until ctx ends.
func (c *control) followPolicy(ctx context.Context) {
	if !c.cfg.Replicas.Set() {
		return
	}
	again := make(chan struct{}, 1)
	defer c.shared.Listen(policyChannel, func(string) {
		select {
		case again <- struct{}{}:
		default:
		}
	})()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
		if err := c.policy.Load(ctx); err != nil && ctx.Err() == nil {
			c.log.Debug("another replica has a policy that this one cannot load", "err", err)
		}
	}
}

// checkFolders refuses to start where an earlier control plane's files would be left out.
func (c *control) checkFolders() error {
	if !c.cfg.Replicas.Set() {
		return nil
	}
	for _, name := range []string{"audit", "keys"} {
		old := filepath.Join(c.cfg.Data, name)
		if entries, err := os.ReadDir(old); err == nil && len(entries) > 0 {
			return fail(exitUsage, "replicas is set, and %s is there: move it into %s", old, c.cfg.Replicas.Folder)
		}
	}
	if there, err := fileThere(c.cfg.StateFile()); err != nil || there {
		return errors.Join(err, fail(exitUsage, "replicas is set, and %s is there: run `dragoman migrate` first, which moves tokens, revocations and holds over", c.cfg.StateFile()))
	}
	return nil
}

// setupFile is locked while a replica starts, so that keys are made once.
const setupFile = "setup.lock"

// lockSetup keeps other replicas from starting at the same time.
func (c *control) lockSetup(ctx context.Context) (unlock func() error, err error) {
	if !c.cfg.Replicas.Set() {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(c.cfg.Replicas.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("the shared folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return replica.LockFile(ctx, filepath.Join(c.cfg.Replicas.Folder, setupFile), c.log)
}

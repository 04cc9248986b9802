// Package replica lets several control planes keep one set of records. One of them at a time, the keeper, takes records in,
// seals them, enters them into the log and deletes them, with a Store of package audit; the others hand it what they get.
// When it dies, another one opens the Store and goes on where acknowledged bytes end. What is read is read by all, from what
// they share (audit.Reader).
//
// The keeper is elected by a lock in the database. That nobody else writes is not left to that. Its writes to the index carry
// the number of its term, which the database refuses once a later one has begun; its way to the shared folder is a gate of its term
// (gate.go), which the next keeper closes first. It also holds a lock on a file in the folder, which the system gives up only with
// the process or by its own hand: the next one waits for that, so that a keeper that lives ends in order, but not for ever
// for one that is stopped.
package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/record/ship"
)

const (
	// keeperLock is the election's name in the database, keeperFile its file in the shared folder.
	keeperLock = "records"
	keeperFile = "keeper.lock"
	// nameLock and a replica's name are a lock that it holds as long as it lives.
	nameLock = "replica "
	// lockAgain is how often the file's lock is tried that the last keeper still has.
	lockAgain = 100 * time.Millisecond
	// appendWait is how long records wait here for somebody who keeps them; after that they wait in the spools.
	appendWait = time.Second
)

// patience is how long the last keeper may take to end in order, before it is shut out.
const patience = 10 * time.Second

// ErrNoKeeper says that nobody keeps records now; it is taken over in a moment.
var ErrNoKeeper = errors.New("no replica keeps the records at the moment")

// Options of a Keeper. All are needed.
type Options struct {
	DB      *pgdb.DB
	Name    string // this replica's
	Listen  string // for other replicas
	Address string // where they reach it
	Folder  string // shared
	// Store opens the store for a tenure. It is closed at its end, and close is called then.
	Store func(ctx context.Context, t Tenure) (s *audit.Store, close func() error, err error)
	// Force shuts a keeper out that does not end. It is only for where Tenure.Folder is the only way by which records are
	// written, and on a file system of this machine (Local); otherwise its lock is waited for.
	Force bool
	// Patience is how long it is waited for before; 0 means 10 s.
	Patience time.Duration
	// Lost is called when another process has this replica's name.
	Lost func(error)
	Log  *slog.Logger
}

// Tenure is one reign of a keeper.
type Tenure struct {
	pgdb.Term
	// Folder is the shared folder, by a path that a later keeper shuts.
	Folder string
	// Forced says that the last keeper was shut out, and may still have files open.
	Forced bool
}

// Keeper keeps records, or hands them to the replica that does. It is safe for concurrent use.
type Keeper struct {
	opt   Options
	peers *peers

	mu    sync.RWMutex
	store *audit.Store // nil: another one keeps them

	stop    context.CancelFunc
	done    sync.WaitGroup
	closers []func() error
}

// Open takes this replica's name, serves the other ones, and takes part in the election until Close.
func Open(ctx context.Context, opt Options) (*Keeper, error) {
	k := &Keeper{opt: opt}
	if err := opt.DB.Lock(ctx, nameLock+opt.Name, opt.Lost); err != nil {
		return nil, fmt.Errorf("another control plane has the name %s (replicas.name): %w", opt.Name, err)
	}
	id, err := newKeyPair(opt.Name)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	k.peers = newPeers(opt.DB, id)
	if err := k.serve(ctx, id); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.stop = stop
	k.done.Go(func() { opt.DB.Lead(running, keeperLock, k.lead) })
	return k, nil
}

// Close gives the records up and ends.
func (k *Keeper) Close() error {
	k.stop()
	k.done.Wait()
	var errs []error
	for _, f := range k.closers {
		errs = append(errs, f())
	}
	k.peers.close()
	return errors.Join(errs...)
}

// lead is one term, from the database's lock to its loss.
func (k *Keeper) lead(ctx context.Context) error {
	unlock, err := k.lockFile(ctx)
	if err != nil {
		return err
	}
	t := Tenure{Forced: unlock == nil}
	defer func() {
		if unlock != nil {
			_ = unlock()
		}
	}()
	if t.Term, err = k.opt.DB.Begin(ctx, keeperLock, k.opt.Name); err != nil {
		return err
	}
	if t.Folder, err = openGate(k.opt.Folder, t.N); err != nil {
		return fmt.Errorf("replica: term %d: %w", t.N, err)
	}
	if t.Forced {
		if unlock, err = breakLock(k.file()); err != nil {
			return err
		}
	}
	return k.keep(ctx, t)
}

// keep has the store open until ctx ends.
func (k *Keeper) keep(ctx context.Context, t Tenure) error {
	began := time.Now()
	s, closed, err := k.opt.Store(ctx, t)
	if err != nil {
		return fmt.Errorf("replica: records cannot be taken over: %w", err)
	}
	k.set(s)
	k.opt.Log.Info("this replica keeps the records now", "replica", k.opt.Name, "term", t.N, "forced", t.Forced, "took", time.Since(began))
	<-ctx.Done()
	k.set(nil)
	err = errors.Join(s.Close(), closed())
	k.opt.Log.Info("this replica does not keep the records any more", "replica", k.opt.Name, "term", t.N, "error", err)
	return nil
}

func (k *Keeper) file() string { return filepath.Join(k.opt.Folder, keeperFile) }

// lockFile waits for the last keeper's end. unlock is nil when it does not come and is not waited for.
func (k *Keeper) lockFile(ctx context.Context) (unlock func() error, err error) {
	if !k.opt.Force {
		return LockFile(ctx, k.file(), k.opt.Log)
	}
	most := k.opt.Patience
	if most <= 0 {
		most = patience
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	unlock, err = LockFile(waiting, k.file(), k.opt.Log)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		k.opt.Log.Warn("the last keeper does not end: it is shut out", "waited", most)
		return nil, nil
	}
	return unlock, err
}

// breakLock puts another file in the place of one that a process has locked which was shut out.
func breakLock(path string) (unlock func() error, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), keeperFile+".*")
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("replica: %w", err), f.Close(), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return nil, errors.Join(fmt.Errorf("replica: %w", err), f.Close(), os.Remove(f.Name()))
	}
	return f.Close, nil
}

// Idle fails while a replica keeps the records in a folder, and keeps others from it until unlock.
func Idle(folder string) (unlock func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockAgain)
	defer cancel()
	if unlock, err = LockFile(ctx, filepath.Join(folder, keeperFile), slog.New(slog.DiscardHandler)); err != nil {
		return nil, fmt.Errorf("a replica keeps the records in %s: stop all of them: %w", folder, err)
	}
	return unlock, nil
}

// LockFile waits until no other process has a file locked.
func LockFile(ctx context.Context, path string, log *slog.Logger) (unlock func() error, err error) {
	for told := false; ; told = true {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("replica: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && sameFile(f, path) { // and nobody has broken it
			return f.Close, nil
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("replica: the shared folder has no locks: %w", err)
		}
		if !told {
			log.Info("waiting for the process that has a file locked", "file", path)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockAgain):
		}
	}
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

func (k *Keeper) set(s *audit.Store) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.store = s
}

// Store is the store while this replica keeps the records, or nil.
func (k *Keeper) Store() *audit.Store {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.store
}

var _ ship.Ingest = (*Keeper)(nil)

// Append implements ship.Ingest.
func (k *Keeper) Append(ctx context.Context, node string, chunks []ship.Chunk) ([]ship.Ack, error) {
	for end := time.Now().Add(appendWait); ; {
		acks, err := k.append(ctx, node, chunks)
		if err == nil || ctx.Err() != nil || k.Store() != nil || time.Now().After(end) {
			return acks, err
		}
		// It is being taken over. What was kept already does no harm when it comes again.
		select {
		case <-ctx.Done():
		case <-time.After(lockAgain):
		}
	}
}

func (k *Keeper) append(ctx context.Context, node string, chunks []ship.Chunk) ([]ship.Ack, error) {
	if s := k.Store(); s != nil {
		return s.Append(ctx, node, chunks)
	}
	a, err := k.peers.call(ctx, request{Op: opAppend, Node: node, Chunks: chunks})
	return a.Acks, err
}

// Lost is audit.Store's.
func (k *Keeper) Lost(ctx context.Context, id string) error {
	if s := k.Store(); s != nil {
		return s.Lost(ctx, id)
	}
	_, err := k.peers.call(ctx, request{Op: opLost, Sessions: []string{id}})
	return err
}

// Delete is audit.Store's.
func (k *Keeper) Delete(ctx context.Context, why audit.DeletionReason, ids ...string) error {
	if s := k.Store(); s != nil {
		return s.Delete(ctx, why, ids...)
	}
	_, err := k.peers.call(ctx, request{Op: opDelete, Reason: why, Sessions: ids})
	return err
}

// Alive reports whether a replica of this name lives.
func (k *Keeper) Alive(ctx context.Context, name string) (bool, error) {
	free, err := k.opt.DB.TryLock(ctx, nameLock+name)
	return !free, err
}

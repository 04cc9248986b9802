// Package replica lets several control planes keep one set of records. One of them at a time, the keeper, takes records in,
// seals them, enters them into the log and deletes them, with a Store of package audit; the others hand it what they get.
// When it dies, another one opens the Store and goes on where acknowledged bytes end. What is read is read by all, from what
// they share (audit.Reader).
//
// The keeper is elected by a lock in the database. That nobody else writes is not left to that: the keeper holds a lock on a
// file in the shared folder as well, which the system gives up only with the process or by its own hand, and its writes
// to the index carry the number of its term, which the database refuses once a later one has begun.
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

// ErrNoKeeper says that nobody keeps records now; it is taken over in a moment.
var ErrNoKeeper = errors.New("no replica keeps the records at the moment")

// Options of a Keeper. All are needed.
type Options struct {
	DB      *pgdb.DB
	Name    string // this replica's
	Listen  string // for other replicas
	Address string // where they reach it
	Folder  string // shared
	// Store opens the store for a term. It is closed at the term's end.
	Store func(ctx context.Context, t pgdb.Term) (*audit.Store, error)
	// Lost is called when another process has this replica's name.
	Lost func(error)
	Log  *slog.Logger
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
	unlock, err := LockFile(ctx, filepath.Join(k.opt.Folder, keeperFile), k.opt.Log)
	if err != nil {
		return err
	}
	defer unlock()
	term, err := k.opt.DB.Begin(ctx, keeperLock, k.opt.Name)
	if err != nil {
		return err
	}
	began := time.Now()
	s, err := k.opt.Store(ctx, term)
	if err != nil {
		return fmt.Errorf("replica: records cannot be taken over: %w", err)
	}
	k.set(s)
	k.opt.Log.Info("this replica keeps the records now", "replica", k.opt.Name, "term", term.N, "took", time.Since(began))
	<-ctx.Done()
	k.set(nil)
	err = s.Close()
	k.opt.Log.Info("this replica does not keep the records any more", "replica", k.opt.Name, "term", term.N, "error", err)
	return nil
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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("replica: the shared folder has no locks: %w", err), f.Close())
		}
		if !told {
			log.Info("waiting for the process that has a file locked", "file", path)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(lockAgain):
		}
	}
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

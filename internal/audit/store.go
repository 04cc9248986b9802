// Package audit is the embedded store of records on the control plane: it takes in what
// nodes ship, indexes it as it arrives, seals it when the session ends, and enters it into
// a transparency log (package translog); running sessions are entered from time to time. It owns the folder
//
//	<dir>/sessions/YYYY/MM/DD/<id>.live   a session that has not ended: a segment 0
//	<dir>/sessions/YYYY/MM/DD/<id>.drs    a sealed one
//	<dir>/log/                            the transparency log
//	<dir>/index.db                        SQLite; can be made again from the files (Reindex)
//
// The byte format of records is package record's (docs/record-format.md), that of the log's entries is
// in docs/audit-format.md.
package audit

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

const (
	liveExt = ".live"
	logDir  = "log"
	// defaultRunning is how often running sessions are entered into the log.
	defaultRunning = 10 * time.Minute
)

// ErrNotFound says that there is no such session.
var ErrNotFound = errors.New("no such session")

// Options of a Store.
type Options struct {
	// Key signs the log's checkpoints. Required.
	Key ed25519.PrivateKey
	// Origin names the log, once for all; "": one made from the key.
	Origin string
	// Running is how often running sessions are entered into the log; 0: every 10 minutes.
	Running time.Duration
	// Witnesses cosign checkpoints.
	Witnesses []translog.Witness
	Log       *slog.Logger     // nil: discard
	Now       func() time.Time // nil: time.Now
}

// Store keeps records. It is safe for concurrent use.
type Store struct {
	dir string
	opt Options
	db  *sql.DB // writes, one connection
	rdb *sql.DB // reads

	// mu serialises what changes files and index: Append, sealing, Reindex.
	mu   sync.Mutex
	live map[string]*session
	log  *translog.Log

	tails   sync.Mutex // guards live for Tail, taken inside mu
	sealing chan string
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// Open opens or creates the store at dir. It brings the index up to what the files of
// unfinished sessions hold, and seals those that had ended.
func Open(dir string, opt Options) (*Store, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Running <= 0 {
		opt.Running = defaultRunning
	}
	if len(opt.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("audit: a signing key is needed")
	}
	if err := os.MkdirAll(filepath.Join(dir, "sessions"), 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	s := &Store{dir: dir, opt: opt, live: map[string]*session{}, sealing: make(chan string, 1024)}
	if err := s.openIndex(); err != nil {
		return nil, fmt.Errorf("audit: index: %w", err)
	}
	var err error
	if s.log, err = translog.Open(filepath.Join(dir, logDir), translog.Options{Key: opt.Key, Origin: opt.Origin,
		Witnesses: opt.Witnesses, Log: opt.Log, Now: opt.Now}); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), s.closeIndex())
	}
	if err := s.catchUp(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), s.log.Close(), s.closeIndex())
	}
	ended, err := s.loadLive()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), s.log.Close(), s.closeIndex())
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wg.Go(func() { s.sealer(ctx, ended) })
	return s, nil
}

// Close enters running sessions into the log, stops sealing and closes files. What is not sealed is at the next Open.
func (s *Store) Close() error {
	s.stop()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, l := range s.live {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.log.Close(), s.closeIndex())...)
}

func (s *Store) liveSession(id string) *session {
	s.tails.Lock()
	defer s.tails.Unlock()
	return s.live[id]
}

// files calls f for each record file under dir/sessions.
func files(dir string, f func(path, id, ext string) error) error {
	return filepath.WalkDir(filepath.Join(dir, "sessions"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ext := filepath.Ext(path)
		id := strings.TrimSuffix(filepath.Base(path), ext)
		if (ext != liveExt && ext != record.SealedExt) || !record.ValidSession(id) {
			return nil
		}
		return f(path, id, ext)
	})
}

// loadLive takes up what the last process left. It returns the sessions that have ended.
func (s *Store) loadLive() (ended []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{s: s}
	err = files(s.dir, func(path, id, ext string) error {
		if ext != liveExt {
			return nil
		}
		l, err := b.load(id, path, "")
		if err != nil {
			return err
		}
		if l.stream.Ended() {
			ended = append(ended, id)
		}
		return nil
	})
	if err == nil {
		err = b.commit(context.Background())
	}
	return ended, err
}

// Frames opens a session's record for reading. A live one is read as far as it is now.
func (s *Store) Frames(ctx context.Context, id string) (*record.Reader, error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, row.File)
	if l := s.liveSession(id); l != nil {
		f, err := os.Open(l.path) // the row may say already where the sealed file is
		if err == nil {
			return record.NewFileReader(f, id, int64(l.safe.Load())), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("audit: %w", err)
		}
		// Sealed in between.
		path = strings.TrimSuffix(l.path, liveExt) + record.SealedExt
	}
	r, err := record.OpenPath(path)
	if errors.Is(err, os.ErrNotExist) {
		r, err = record.OpenPath(strings.TrimSuffix(path, liveExt) + record.SealedExt)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: session %s: %w", id, err)
	}
	return r, nil
}

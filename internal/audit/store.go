// Package audit is the embedded store of records on the control plane: it takes in what
// nodes ship, indexes it as it arrives, seals it when the session ends, and enters it into
// a transparency log (package translog); running sessions are entered from time to time. It owns the folder
//
//	<dir>/sessions/YYYY/MM/DD/<id>.live   a session that has not ended: a segment 0
//	<dir>/sessions/YYYY/MM/DD/<id>.drs    a sealed one
//	<dir>/datakeys/YYYY/MM/DD/<id>.key    its data key, wrapped, if bodies are encrypted
//	<dir>/log/                            the transparency log
//	<dir>/index.db                        SQLite; can be made again from the files (Reindex)
//
// Bodies and index may be elsewhere: Options.Blobs (package blob) and Options.Index (package index) replace the
// first two and the last.
//
// The byte format of records is package record's (docs/record-format.md), that of the log's entries is
// in docs/audit-format.md.
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

var errClosed = errors.New("audit: the store is closed")

const (
	liveExt = ".live"
	logDir  = "log"
	// indexFile is the embedded index; sessionsDir begins the keys of bodies.
	indexFile   = "index.db"
	sessionsDir = "sessions/"
	// defaultRunning is how often running sessions are entered into the log.
	defaultRunning = 10 * time.Minute
)

// slack is how much more garbage Go's collector lets come together while a Store takes records in: what comes with them is
// garbage soon, and little else is on the heap. It has no pages of its own: it is never written.
const slack = 64 << 20

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
	// Index is closed with the Store. nil: SQLite in the folder.
	Index index.Index
	Blobs blob.Store // nil: files in the folder
	// Keys encrypt bodies at rest. nil: they are not encrypted.
	Keys Keyring
	Feed Feed             // hears of every frame; nil: nobody
	Log  *slog.Logger     // nil: discard
	Now  func() time.Time // nil: time.Now
}

// Store keeps records. It is safe for concurrent use.
type Store struct {
	dir   string
	opt   Options
	index index.Index
	blobs blob.Store
	arch  *Archive

	// mu serialises what changes files and index: Append, sealing, Reindex.
	mu   sync.Mutex
	live map[string]*session
	// closed: the live sessions have no bodies any more.
	closed bool
	log    *translog.Log
	// decoder is for frames of all sessions.
	decoder record.ActionDecoder

	tails   sync.Mutex // guards live for Tail, taken inside mu
	sealing chan string
	sealers int // at the same time
	slack   []byte
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
	s := &Store{dir: dir, opt: opt, index: opt.Index, blobs: opt.Blobs, live: map[string]*session{}, sealing: make(chan string, 1024),
		slack: make([]byte, slack)}
	var err error
	s.sealers = sealersAway
	if s.blobs == nil {
		s.blobs, s.sealers = blob.NewFiles(dir), 1
	}
	s.arch = NewArchive(s.blobs, opt.Keys)
	s.blobs = s.arch.blobs
	if s.index == nil {
		if s.index, err = sqlindex.OpenSQLite(context.Background(), filepath.Join(dir, indexFile)); err != nil {
			return nil, fmt.Errorf("audit: index: %w", err)
		}
	}
	if s.log, err = translog.Open(filepath.Join(dir, logDir), translog.Options{Key: opt.Key, Origin: opt.Origin,
		Witnesses: opt.Witnesses, Log: opt.Log, Now: opt.Now}); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), s.index.Close())
	}
	ended, err := s.start(context.Background())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), s.log.Close(), s.index.Close())
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
	s.closed = true
	var errs []error
	for _, l := range s.live {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.log.Close(), s.index.Close())...)
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
		if id, ext, ok := recordName(path); ok {
			return f(path, id, ext)
		}
		return nil
	})
}

// bodies calls f for each record's body.
func (s *Store) bodies(ctx context.Context, f func(key, id, ext string) error) error {
	return s.blobs.List(ctx, sessionsDir, func(key string) error {
		if id, ext, ok := recordName(key); ok {
			return f(key, id, ext)
		}
		return nil
	})
}

// recordName reads the name of a record's file.
func recordName(name string) (id, ext string, ok bool) {
	ext = filepath.Ext(name)
	id = strings.TrimSuffix(filepath.Base(name), ext)
	return id, ext, (ext == liveExt || ext == record.SealedExt) && record.ValidSession(id)
}

// start brings the index up to what is there, making it anew if it must be.
func (s *Store) start(ctx context.Context) (ended []string, err error) {
	stale, err := s.behind(ctx)
	if err != nil {
		return nil, err
	}
	if stale {
		s.opt.Log.Info("the index of sessions is made again from the records")
		if err := s.Reindex(ctx); err != nil {
			s.opt.Log.Error("records that do not verify are in the index as far as they do", "error", err)
		}
	}
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	return s.loadLive(ctx)
}

// behind: the index must be made anew, or it is a new one where the log is not.
func (s *Store) behind(ctx context.Context) (bool, error) {
	stale, err := s.index.Stale(ctx)
	if err != nil || stale {
		return stale, err
	}
	next, err := s.index.NextLeaf(ctx)
	if err != nil || next > 0 {
		return false, err
	}
	_, head, err := s.log.Checkpoint()
	return head.Size > 0, err
}

// loadLive takes up what the last process left. It returns the sessions that have ended.
func (s *Store) loadLive(ctx context.Context) (ended []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.newBatch()
	var all []*session
	err = s.bodies(ctx, func(key, id, ext string) error {
		if ext == liveExt {
			all = append(all, newSession(id, key))
		}
		return nil
	})
	for ; err == nil && len(all) > 0; all = all[min(opensAtOnce, len(all)):] {
		var more []string
		more, err = b.loadSome(ctx, all[:min(opensAtOnce, len(all))])
		ended = append(ended, more...)
	}
	if err == nil {
		err = b.commit(ctx)
	}
	return ended, err
}

// loadSome opens bodies together, since where they are far away each open is some waiting, and then reads them.
func (b *batch) loadSome(ctx context.Context, some []*session) (ended []string, err error) {
	errs := make([]error, len(some))
	each(len(some), func(i int) { errs[i] = some[i].append(ctx, b.s.blobs) })
	for i, l := range some {
		if err == nil {
			err = errs[i]
		}
		if err != nil {
			err = errors.Join(err, l.close())
			continue
		}
		if l, err = b.load(ctx, l, ""); err == nil && l.stream.Ended() {
			ended = append(ended, l.id)
		}
	}
	return ended, err
}

// Frames opens a session's record for reading. A live one is read as far as it is now.
func (s *Store) Frames(ctx context.Context, id string) (*record.Reader, error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	key := row.File
	if l := s.liveSession(id); l != nil {
		b, err := s.blobs.Open(ctx, l.key) // the row may say already where the sealed body is
		if err == nil {
			return record.NewFileReader(b, id, int64(l.safe.Load())), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("audit: %w", err)
		}
		key = l.key // sealed in between
	}
	r, err := s.arch.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("audit: session %s: %w", id, err)
	}
	return r, nil
}

func sealedKey(key string) string { return strings.TrimSuffix(key, liveExt) + record.SealedExt }

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Mode says how safe a frame is when its Commit is done.
type Mode uint8

const (
	// ModeFsync: on the disk; survives a power cut. The default.
	ModeFsync Mode = iota
	// ModeWrite: handed to the kernel; survives the death of this process.
	ModeWrite
)

// ParseMode reads nodeconfig's durability words. An unknown word is an error.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "write":
		return ModeWrite, nil
	case "fsync":
		return ModeFsync, nil
	}
	return ModeFsync, fmt.Errorf("durability %q: must be \"write\" or \"fsync\"", s)
}

// SegmentSize is the size at which a segment is closed and the next one begun.
const SegmentSize = 8 << 20

// ErrSpoolFull says that the spool's budget is used up: the action is refused.
var ErrSpoolFull = errors.New("record spool is full")

// Options of a Spool.
type Options struct {
	// MaxBytes is what all sessions of the spool may use on disk; 0 means no limit.
	MaxBytes int64
	// SegmentSize overrides the constant; 0 means the default.
	SegmentSize int64
	// Syncers is how many goroutines fsync; 0 means 4.
	Syncers int
	Log     *slog.Logger     // nil: discard
	Now     func() time.Time // nil: time.Now
}

// Spool is the folder in which a gateway keeps records until the control plane
// has them: <dir>/<session>/<%08d>.seg. It is safe for concurrent use; the
// writers of different sessions share only an atomic counter.
type Spool struct {
	dir     string
	opt     Options
	used    atomic.Int64
	next    atomic.Uint32 // round robin of syncers
	wake    chan struct{}
	closed  chan struct{}
	syncers []*syncer
	wg      sync.WaitGroup

	mu       sync.Mutex // sessions; at a session's begin and end, and by the shipper
	sessions map[string]*entry
}

// OpenSpool opens or creates the spool at dir. Several processes may share
// one; each writes its own sessions.
func OpenSpool(dir string, opt Options) (*Spool, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.SegmentSize <= 0 {
		opt.SegmentSize = SegmentSize
	}
	if opt.Syncers <= 0 {
		opt.Syncers = 4
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("record spool: %w", err)
	}
	s := &Spool{dir: dir, opt: opt, sessions: map[string]*entry{},
		wake: make(chan struct{}, 1), closed: make(chan struct{})}
	used, err := diskUse(dir)
	if err != nil {
		return nil, fmt.Errorf("record spool: %w", err)
	}
	s.used.Store(used)
	for range opt.Syncers {
		y := newSyncer(s)
		s.syncers = append(s.syncers, y)
		s.wg.Go(y.run)
	}
	return s, nil
}

// Close stops the spool's goroutines after all commits so far are done. Writers
// that are still open fail from then on; their sessions are left for Recover.
func (s *Spool) Close() {
	close(s.closed)
	for _, y := range s.syncers {
		y.stop()
	}
	s.wg.Wait()
}

// Used is how many bytes the spool keeps on disk.
func (s *Spool) Used() int64 { return s.used.Load() }

// Begin starts the record of a session with its Open frame, which is pending
// like any other: Flush or Commit it before the session counts. It does no I/O.
func (s *Spool) Begin(mode Mode, open Open) (*Writer, error) {
	id := open.Session.ID
	if !ValidSession(id) {
		return nil, fmt.Errorf("record: session id %q is not valid", id)
	}
	if mode != ModeWrite {
		mode = ModeFsync
	}
	open.Format = Version
	payload, err := json.Marshal(open)
	if err != nil {
		return nil, fmt.Errorf("record: open frame: %w", err)
	}
	e := &entry{id: id, dir: filepath.Join(s.dir, id)}
	e.live.Store(true)
	s.mu.Lock()
	_, dup := s.sessions[id]
	if !dup {
		s.sessions[id] = e
	}
	s.mu.Unlock()
	if dup {
		return nil, fmt.Errorf("record: session %s exists already", id)
	}
	w := newWriter(s, e, mode)
	if err := w.Append(KindOpen, 0, payload); err != nil {
		w.Abandon()
		return nil, err
	}
	return w, nil
}

// notify wakes the shipper, if it sleeps.
func (s *Spool) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Spool) forget(id string) {
	s.mu.Lock()
	delete(s.sessions, id)
	s.mu.Unlock()
}

// entry is what the spool knows of one session's files. The writer extends it,
// the shipper frees from it.
type entry struct {
	id      string
	dir     string
	live    atomic.Bool   // its writer is open
	flushed atomic.Uint64 // stream bytes that are in the kernel's hands

	mu       sync.Mutex
	segments []segInfo // in order; only the last may still grow

	readMu  sync.Mutex
	reading *os.File // the shipper's handle on the segment that it reads
	readNum uint32
}

// segInfo is one segment on disk. Its frames end where the next one's begin, or
// at flushed.
type segInfo struct {
	number uint32
	start  uint64 // stream offset of its first frame
}

func segPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.seg", number))
}

// diskUse sums the sizes of all files under dir. Files that vanish meanwhile do not count.
func diskUse(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total, err
}

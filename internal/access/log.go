package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/internal/ulid"
)

const (
	// span is the longest life of one session of this log: then it is closed, sealed and entered.
	span = time.Hour
	// idle closes a session whose reader is quiet.
	idle = 5 * time.Minute
	// maxReads bounds one session.
	maxReads = 1000
	// maxOpen bounds how many readers have a session at a time; the quietest one's is closed.
	maxOpen = 256
	// maxSpool bounds what waits for the store, in bytes.
	maxSpool = 256 << 20
)

// Options of a Log.
type Options struct {
	Dir    string      // its spool
	Ingest ship.Ingest // the store
	Node   string      // under which the store knows it
	Log    *slog.Logger
	Now    func() time.Time
}

// Log writes. It is safe for concurrent use.
type Log struct {
	opt   Options
	spool *record.Spool

	mu     sync.Mutex
	open   map[string]*reader
	closed bool

	ship  shipping
	kick  chan struct{}
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// reader is one reader's session.
type reader struct {
	w       *record.Writer
	started time.Time
	last    time.Time
	reads   uint64
	busy    int  // requests that are being decided
	over    bool // it ends when none is
}

// Open opens the log; what a process that died left is closed as lost and kept.
func Open(opt Options) (*Log, error) {
	spool, err := record.OpenSpool(opt.Dir, record.Options{MaxBytes: maxSpool, Syncers: 1, Log: opt.Log, Now: opt.Now})
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	if _, err := spool.Recover(); err != nil {
		spool.Close()
		return nil, fmt.Errorf("access log: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Log{opt: opt, spool: spool, open: map[string]*reader{}, kick: make(chan struct{}, 1), stop: stop}
	l.ship.acked = map[string]uint64{}
	l.ended.Go(func() { l.run(ctx) })
	return l, nil
}

// Record writes one read. When it returns nil, the read is on the disk and may be served.
func (l *Log) Record(r Read) error {
	l.mu.Lock()
	one, err := l.reader(r)
	l.mu.Unlock()
	if err == nil {
		err = l.commit(one, func(one *reader) error { return l.append(one, r) })
	}
	if err != nil {
		l.drop(r.key(), one)
		return fmt.Errorf("access log: %w", err)
	}
	return nil
}

// commit writes what add adds; nil says that it is as safe as the session's mode says.
func (l *Log) commit(one *reader, add func(*reader) error) error {
	done := make(chan error, 1)
	l.mu.Lock()
	reads := one.reads
	err := add(one)
	one.last = l.opt.Now()
	if err == nil {
		one.w.Commit(func(err error) { done <- err })
		if len(done) > 0 { // at once: with an error not written, and no part of the record
			if err = <-done; err != nil {
				one.reads = reads
			}
			done <- err
		}
	}
	l.mu.Unlock()
	if err == nil {
		err = <-done // the disk's matter, not the caller's
	}
	if err != nil {
		return err
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
	return nil
}

// reader finds or begins the reader's session.
func (l *Log) reader(r Read) (*reader, error) {
	return l.find(r.key(), func(now time.Time) (*record.Writer, error) {
		return l.spool.Begin(record.ModeFsync, record.Open{
			Session:  policy.Session{ID: ulid.New(Prefix, now), Started: now, Client: r.Client, Application: r.Via},
			Target:   policy.Target{Name: Target, Protocol: Protocol, Labels: map[string]string{}},
			Identity: r.By, Node: l.opt.Node,
			Decision: policy.Decision{Verdict: policy.Allow, Rule: "authenticated"},
		})
	})
}

// find finds the session under a key, or begins one.
func (l *Log) find(key string, begin func(now time.Time) (*record.Writer, error)) (*reader, error) {
	if l.closed {
		return nil, record.ErrClosed
	}
	now := l.opt.Now()
	if one := l.open[key]; one != nil {
		if one.reads < maxReads && now.Sub(one.started) < span/2 {
			return one, nil
		}
		l.end(key, one)
	}
	if len(l.open) >= maxOpen {
		l.endQuietest()
	}
	w, err := begin(now)
	if err != nil {
		if w != nil {
			w.Abandon()
		}
		return nil, err
	}
	one := &reader{w: w, started: now, last: now}
	l.open[key] = one
	return one, nil
}

// append adds the read's frames.
func (l *Log) append(one *reader, r Read) error {
	one.reads++
	d := policy.Decision{Verdict: policy.Allow, Rule: "roles"}
	res := record.Result{Status: "ok"}
	if r.Refused != "" {
		d.Verdict, d.Reason = policy.Block, r.Refused
		res.Status, res.Message = "blocked", r.Refused
	}
	return errors.Join(
		one.w.AppendJSON(record.KindAction, one.reads, record.ActionPayload{Action: r.action(), Decision: d}),
		one.w.AppendJSON(record.KindResult, one.reads, res))
}

// drop gives up a session that cannot be written any more; the next read begins another.
func (l *Log) drop(key string, one *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one == nil || l.open[key] != one || (one.reads > 0 && one.w.Flush() == nil) {
		return
	}
	one.w.Abandon() // Recover closes what is on the disk
	delete(l.open, key)
}

// end ends a session, when nothing of it is being decided any more.
func (l *Log) end(key string, one *reader) {
	delete(l.open, key)
	if one.over = true; one.busy == 0 {
		l.close(one)
	}
}

func (l *Log) close(one *reader) {
	err := one.w.Close(record.Close{Reason: "client", Actions: one.reads, Duration: l.opt.Now().Sub(one.started)})
	if err != nil {
		l.opt.Log.Error("access log: a part cannot be closed", "session", one.w.Session(), "err", err)
	}
}

func (l *Log) endQuietest() {
	key, found := "", (*reader)(nil)
	for k, one := range l.open {
		if found == nil || one.last.Before(found.last) {
			key, found = k, one
		}
	}
	if found != nil {
		l.end(key, found)
	}
}

// sweep ends what is quiet or old.
func (l *Log) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.opt.Now()
	for key, one := range l.open {
		if now.Sub(one.last) >= idle || now.Sub(one.started) >= span/2 {
			l.end(key, one)
		}
	}
}

// Close ends all sessions and gives them to the store, which must still be open.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	for key, one := range l.open {
		l.end(key, one)
	}
	l.mu.Unlock()
	l.stop()
	l.ended.Wait()
	err := l.Settle(context.Background())
	l.spool.Close()
	return err
}

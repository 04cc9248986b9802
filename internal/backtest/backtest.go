// Package backtest judges recorded history with another policy and says what would have been
// different. It reads records (package record) from a store's folder and never writes; what
// the record does not hold (a statement's lineage) it bounds from both sides, and where the
// bounds do not meet it says so: docs/decisions/0030-backtest.md.
package backtest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/policy"
)

// Options of a Run. Zero fields do not matter, but for Dir and Engine.
type Options struct {
	// Dir is the audit store's folder; Engine is the policy to judge with.
	Dir    string
	Engine *policy.Engine
	// Since and Until bound the actions by their own time: at or after, before.
	Since, Until time.Time
	Target       string // its name
	Identity     string // any actor of the chain
	Limit        int    // at most so many sessions, newest first
	Examples     int    // of each kind of change; 0 means 5
	Workers      int    // 0 means one for each processor
	// Bodies are where records are, when they are not in Dir.
	Bodies blob.Store
	// Open opens a record by its path below Dir, with slashes; nil reads what is not encrypted.
	Open func(name string) (Record, error)
	// Progress is called about once a second, from one goroutine.
	Progress func(Progress)
}

// Progress is how far a Run is.
type Progress struct {
	Found    int // sessions' files that may have something of the time asked for
	Read     int // of these
	Sessions int64
	Actions  int64
	Elapsed  time.Duration
}

const (
	defaultExamples = 5
	maxExamples     = 1000
)

// run is one Run.
type run struct {
	opt      Options
	files    []file
	next     atomic.Int64 // index into files
	read     atomic.Int64
	actions  atomic.Int64
	sessions atomic.Int64
	places   *limiter
}

// Run judges. When ctx ends it returns what there is so far, marked as partial.
func Run(ctx context.Context, opt Options) (*Report, error) {
	if opt.Engine == nil || opt.Dir == "" {
		return nil, fmt.Errorf("backtest: a policy and a store's folder are needed")
	}
	if opt.Examples <= 0 {
		opt.Examples = defaultExamples
	}
	opt.Examples = min(opt.Examples, maxExamples)
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Open == nil {
		bodies := opt.Bodies
		if bodies == nil {
			bodies = blob.NewFiles(opt.Dir)
		}
		archive := audit.NewArchive(bodies, nil)
		opt.Open = func(name string) (Record, error) { return archive.Open(ctx, name) }
	}
	files, err := opt.history(ctx)
	if err != nil {
		return nil, err
	}
	r := &run{opt: opt, files: files, places: newLimiter(opt.Limit)}
	workers := make([]*worker, opt.Workers)
	stop := r.watch()
	var wg sync.WaitGroup
	for i := range workers {
		workers[i] = newWorker(r)
		wg.Go(func() { workers[i].run(ctx) })
	}
	wg.Wait()
	stop()
	all := newTally(opt.Examples)
	for _, w := range workers {
		all.merge(w.tally)
	}
	return all.report(r, ctx.Err() != nil), nil
}

// watch calls Progress until the returned function is called.
func (r *run) watch() (stop func()) {
	if r.opt.Progress == nil {
		return func() {}
	}
	began, end := time.Now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case now := <-tick.C:
				r.opt.Progress(r.progress(now.Sub(began)))
			}
		}
	})
	return func() { close(end); wg.Wait() }
}

func (r *run) progress(elapsed time.Duration) Progress {
	return Progress{Found: len(r.files), Read: int(r.read.Load()), Sessions: r.sessions.Load(), Actions: r.actions.Load(), Elapsed: elapsed}
}

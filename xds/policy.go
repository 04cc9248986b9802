package xds

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"dragoman.dev/dragoman/internal/policy"
)

const (
	// debounce gathers the several events of one save (write, rename, chmod).
	debounce = 50 * time.Millisecond
	// poll finds what no event told of: network file systems, a replaced folder.
	poll = 30 * time.Second
)

// PolicyOptions of a Policy; all must be set.
type PolicyOptions struct {
	Source policy.Source
	// Push puts a good policy in force. It is never called with one that does
	// not compile.
	Push func(context.Context, policy.Bundle, *policy.Engine) error
	Now  func() time.Time
	Log  *slog.Logger
}

// Policy keeps the policy in force equal to its source, as long as the source
// is good: a broken one is never pushed, and what was in force stays.
type Policy struct {
	opt PolicyOptions

	loading sync.Mutex // one load at a time
	mu      sync.Mutex
	status  PolicyStatus
}

// PolicyStatus tells which policy is in force, and what is wrong with the source.
type PolicyStatus struct {
	Revision string    `json:"revision"`
	Since    time.Time `json:"since,omitzero"`
	// Error says why the source as it is now is not in force, "" when it is.
	Error   string    `json:"error,omitempty"`
	ErrorAt time.Time `json:"error_at,omitzero"`
}

// NewPolicy makes a Policy with nothing in force; call Load, then Watch.
func NewPolicy(o PolicyOptions) *Policy { return &Policy{opt: o} }

// Status tells what is in force.
func (p *Policy) Status() PolicyStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Load reads the source and, if it is good and new, pushes it.
func (p *Policy) Load(ctx context.Context) error {
	p.loading.Lock()
	defer p.loading.Unlock()
	err := p.load(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.status.Error, p.status.ErrorAt = "", time.Time{}
		return nil
	}
	p.status.Error, p.status.ErrorAt = err.Error(), p.opt.Now()
	return err
}

func (p *Policy) load(ctx context.Context) error {
	began := p.opt.Now()
	bundle, err := p.opt.Source.Bundle()
	if err != nil {
		return err
	}
	if bundle.Revision == p.Status().Revision {
		return nil
	}
	engine, err := policy.Compile(ctx, bundle, policy.WithLog(p.opt.Log))
	if err != nil {
		return err
	}
	if err := p.opt.Push(ctx, bundle, engine); err != nil {
		return fmt.Errorf("push policy: %w", err)
	}
	p.mu.Lock()
	p.status.Revision, p.status.Since = bundle.Revision, p.opt.Now()
	p.mu.Unlock()
	p.opt.Log.Info("policy in force", "revision", bundle.Revision, "took", p.opt.Now().Sub(began))
	return nil
}

// Watch loads again whenever the folder changes, until ctx ends.
func (p *Policy) Watch(ctx context.Context) error {
	if p.opt.Source.Dir == "" {
		<-ctx.Done()
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the policy folder: %w", err)
	}
	defer w.Close()
	p.follow(w)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	pending := time.NewTimer(0) // once at the start: something may have changed since Load
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
			pending.Reset(debounce)
		case err := <-w.Errors:
			p.opt.Log.Warn("watching the policy folder", "err", err)
			pending.Reset(debounce)
		case <-tick.C:
			pending.Reset(0)
		case <-pending.C:
			p.follow(w)
			p.reload(ctx)
		}
	}
}

// reload logs a failure once, not at every poll.
func (p *Policy) reload(ctx context.Context) {
	before := p.Status().Error
	if err := p.Load(ctx); err != nil && ctx.Err() == nil && err.Error() != before {
		p.opt.Log.Error("the changed policy is broken; what was in force stays", "revision", p.Status().Revision, "err", err)
	}
}

// follow watches the folder and all folders in it; watching one twice does nothing.
func (p *Policy) follow(w *fsnotify.Watcher) {
	err := filepath.WalkDir(p.opt.Source.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = w.Add(path)
		}
		return err
	})
	if err != nil {
		p.opt.Log.Warn("watching the policy folder", "err", err)
	}
}

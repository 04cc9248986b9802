package page

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/web/api"
)

const (
	backtestTime = 2 * time.Minute // of one; what there is by then is shown as partial
	jobsKept     = 10
)

// job is one backtest.
type job struct {
	ID       string
	By       string
	File     string
	Since    time.Time
	Started  time.Time
	Progress backtest.Progress
	Running  bool
	Problem  string
	Report   *backtest.Report
}

// Percent is how far it is.
func (j job) Percent() int {
	if j.Progress.Found == 0 {
		return 0
	}
	return 100 * j.Progress.Read / j.Progress.Found
}

// Differences are the kinds of change that there are.
func (j job) Differences() (out []backtest.Change) {
	if j.Report == nil {
		return nil
	}
	for _, c := range j.Report.Changes {
		if c.Count+c.Perhaps > 0 {
			out = append(out, c)
		}
	}
	return out
}

// jobs are the backtests of this control plane since it started, one at a time.
type jobs struct {
	mu  sync.Mutex
	all []*job // newest last
}

func (l *jobs) start(c Console, by string, change Change, since time.Time) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.all, func(j *job) bool { return j.Running }) {
		return "", fmt.Errorf("%w: another backtest is running; wait for its end", api.ErrConflict)
	}
	j := &job{ID: secret(), By: by, File: change.File, Since: since, Started: time.Now(), Running: true}
	l.all = append(l.all, j)
	l.all = slices.Clone(l.all[max(0, len(l.all)-jobsKept):])
	go l.run(c, j, change)
	return j.ID, nil
}

func (l *jobs) run(c Console, j *job, change Change) {
	// It goes on when the browser goes away, but not for ever.
	ctx, cancel := context.WithTimeout(context.Background(), backtestTime)
	defer cancel()
	report, err := c.Backtest(ctx, change, j.Since, func(p backtest.Progress) {
		l.mu.Lock()
		defer l.mu.Unlock()
		j.Progress = p
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	j.Running, j.Report = false, report
	if err != nil {
		j.Report = nil
		if j.Problem = problem(err); j.Problem == "" {
			j.Problem = "It failed; the control plane's log has the cause."
		}
	}
}

// get gives a copy.
func (l *jobs) get(id string) (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.all {
		if j.ID == id {
			return *j, true
		}
	}
	return job{}, false
}

// list gives copies, newest first.
func (l *jobs) list() (out []job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.all {
		out = append(out, *j)
	}
	slices.Reverse(out)
	return out
}

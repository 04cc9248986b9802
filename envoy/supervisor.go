package envoy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
)

// Options of Run. Zero durations mean the defaults.
type Options struct {
	Process Process
	Admin   *Admin
	Log     *slog.Logger
	// Drain is how long open sessions may go on after the end was asked for;
	// default 10 s.
	Drain time.Duration
	// Grace is how long Envoy may take from SIGTERM to its end; default 5 s.
	Grace time.Duration
	// MinBackoff and MaxBackoff bound the pause before a restart, which
	// doubles each time; default 200 ms and 15 s. Stable is how long an Envoy
	// must have lived for the pause to be the shortest again; default 2 min.
	MinBackoff, MaxBackoff, Stable time.Duration
	// Started, if set, is told the process id of each Envoy.
	Started func(pid int)
}

func (o *Options) defaults() {
	for _, d := range []struct {
		v     *time.Duration
		value time.Duration
	}{
		{&o.Drain, 10 * time.Second}, {&o.Grace, 5 * time.Second},
		{&o.MinBackoff, 200 * time.Millisecond}, {&o.MaxBackoff, 15 * time.Second}, {&o.Stable, 2 * time.Minute},
	} {
		if *d.v <= 0 {
			*d.v = d.value
		}
	}
}

// Run keeps an Envoy running until ctx is done, then drains and ends it, and
// returns nil. An Envoy that ends on its own is started again after a pause. The
// only error is one that a restart cannot cure: the binary cannot be started.
func Run(ctx context.Context, o Options) error {
	o.defaults()
	pause := backoff{min: o.MinBackoff, max: o.MaxBackoff, stable: o.Stable}
	for {
		c, err := startEnvoy(o)
		if err != nil {
			return fmt.Errorf("start envoy: %w", err)
		}
		since := time.Now()
		select {
		case <-ctx.Done():
			o.end(c)
			return nil
		case <-c.Done():
			err = c.Wait()
		}
		wait := pause.next(time.Since(since))
		o.Log.Error("envoy ended", slog.String("how", howEnded(err)), slog.Duration("restart_in", wait))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func howEnded(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// backoff says how long to wait before a restart.
type backoff struct {
	min, max, stable time.Duration
	last             time.Duration
}

// next takes how long the last Envoy lived.
func (b *backoff) next(lived time.Duration) time.Duration {
	if b.last == 0 || lived >= b.stable {
		b.last = b.min
	} else {
		b.last = min(b.last*2, b.max)
	}
	return b.last
}

// startEnvoy starts one whose log goes into ours.
func startEnvoy(o Options) (*child.Child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := o.Process.Command()
	cmd.Stdout, cmd.Stderr = w, w
	c, err := child.Start(cmd, syscall.SIGKILL)
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go func() {
		defer r.Close()
		foldLog(r, o.Log)
	}()
	o.Log.Info("envoy started", slog.Int("pid", c.PID()))
	if o.Started != nil {
		o.Started(c.PID())
	}
	return c, nil
}

// end lets the open sessions go on for a while, then asks Envoy to end, then makes it.
func (o Options) end(c *child.Child) {
	if o.drain(c) {
		return
	}
	if c.End(syscall.SIGTERM, o.Grace) {
		o.Log.Warn("envoy did not end in time, killed", slog.Duration("grace", o.Grace))
	}
}

// drainLook is the time between two looks at the number of open sessions.
const drainLook = 100 * time.Millisecond

// drain reports whether Envoy ended meanwhile.
func (o Options) drain(c *child.Child) (ended bool) {
	ctx, cancel := context.WithTimeout(context.Background(), o.Drain)
	defer cancel()
	// Listeners stop accepting at once; what is open goes on.
	if _, err := o.Admin.Do(ctx, http.MethodPost, "/drain_listeners"); err != nil {
		o.Log.Warn("envoy could not be drained", slog.Any("error", err))
		return false
	}
	for {
		n, err := o.Admin.OpenSessions(ctx)
		if err == nil && n == 0 {
			return false
		}
		select {
		case <-c.Done():
			return true
		case <-ctx.Done():
			o.Log.Warn("sessions cut off at the end of the drain time", slog.Uint64("sessions", n))
			return false
		case <-time.After(drainLook):
		}
	}
}

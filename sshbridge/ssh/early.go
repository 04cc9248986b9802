package ssh

import (
	"context"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/sshwire"
)

// maxEarly bounds the signals that wait for their process.
const maxEarly = 8

// early are the signals that come before the process runs: while policy is asked, people decide, or the target is
// reached. One that would end the process withdraws what people are asked for; all of them reach the process as soon as it runs.
type early struct {
	mu      sync.Mutex
	signals [][]byte // payloads
	giveUp  context.CancelFunc
}

// keep takes in a signal; false when the process has started, so that it can have it at once.
func (e *early) keep(started <-chan *process, payload []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(started) > 0 || len(e.signals) >= maxEarly {
		return false
	}
	e.signals = append(e.signals, slices.Clone(payload))
	if name, _, ok := sshwire.String(payload); ok && ends(string(name)) && e.giveUp != nil {
		e.giveUp()
	}
	return true
}

// asking is the time in which it is decided whether something may run; it lasts until the function is called.
func (e *early) asking(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.giveUp = cancel
	return ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.giveUp = nil
		cancel()
	}
}

// started hands the process to whoever passes signals on, and gives those that came before.
func (e *early) started(to chan<- *process, p *process) [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	to <- p
	signals := e.signals
	e.signals = nil
	return signals
}

// ends reports whether a signal ends a process that does not care (RFC 4254, section 6.9).
func ends(signal string) bool {
	switch signal {
	case "INT", "TERM", "HUP", "QUIT", "KILL", "ABRT":
		return true
	}
	return false
}

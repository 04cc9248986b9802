package gate

import (
	"context"
	"time"
)

// EndIdle ends the session when for so long nothing of it was judged or recorded, until ctx ends; zero is never. A session
// with a hold, or that is busy, is not idle.
func (g *Gate) EndIdle(ctx context.Context, limit time.Duration, busy func() bool) {
	if limit <= 0 {
		return
	}
	g.last.Store(g.Now().UnixNano())
	for {
		left := limit - g.Now().Sub(time.Unix(0, g.last.Load()))
		switch {
		case g.waiting.Load() > 0 || busy():
			g.last.Store(g.Now().UnixNano())
			left = limit
		case left <= 0:
			g.Span.Finish("expired", "the session was idle for too long")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left):
		}
	}
}

// Touch says that the session is in use, where nothing of that is recorded.
func (g *Gate) Touch() { g.last.Store(g.Now().UnixNano()) }

package backtest

import "sync"

// limiter lets the first limit sessions through that are of those asked for, in the order of the
// files, though several workers read them. Without a limit it lets all through.
type limiter struct {
	mu    sync.Mutex
	cond  *sync.Cond
	limit int
	front int // files before it are settled
	taken int
}

func newLimiter(limit int) *limiter {
	l := &limiter{limit: limit}
	l.cond = sync.NewCond(&l.mu)
	return l
}

// full says that nothing more is let through.
func (l *limiter) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit > 0 && l.taken >= l.limit
}

// settle says whether file i is of those asked for, and reports whether it is let through. It
// waits for the files before it: each file that was begun must be settled, exactly once.
func (l *limiter) settle(i int, want bool) bool {
	if l.limit <= 0 {
		return want
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.front < i {
		l.cond.Wait()
	}
	ok := want && l.taken < l.limit
	if ok {
		l.taken++
	}
	l.front = i + 1
	l.cond.Broadcast()
	return ok
}

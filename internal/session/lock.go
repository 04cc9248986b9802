package session

import (
	"sync"
	"sync/atomic"
)

// lock is a mutex for what takes a few microseconds, a write to the spool among them. Its users are Envoy's workers: a goroutine of theirs
// that sleeps has its thread sleep too, and waking it takes two other threads and longer than what it waited for.
// So it is tried for about as long as that takes before it sleeps.
type lock struct {
	sync.Mutex
	free atomic.Bool // never set: reading it passes the time
}

const (
	lockTries = 64
	lockPause = 64 // reads between two tries
)

// Lock implements sync.Locker.
func (l *lock) Lock() {
	for range lockTries {
		if l.TryLock() {
			return
		}
		for range lockPause {
			if l.free.Load() {
				break
			}
		}
	}
	l.Mutex.Lock()
}

// Package live keeps what a server of the bridge serves just now, so that its end reaches each of them.
package live

import "sync"

// Set is the live ones. The zero value is ready but for End.
type Set[T comparable] struct {
	// End ends one, because the gateway stops. It is called on a goroutine of its own and may block.
	End func(T)

	mu     sync.Mutex
	m      map[T]struct{}
	closed bool
	wg     sync.WaitGroup
}

// Add notes one; false when the server has stopped. Whoever was added must be removed.
func (s *Set[T]) Add(one T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.m == nil {
		s.m = map[T]struct{}{}
	}
	s.m[one] = struct{}{}
	s.wg.Add(1)
	return true
}

// Remove forgets one that has ended.
func (s *Set[T]) Remove(one T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, one)
	s.wg.Done()
}

// Stop lets nobody in any more and ends all that are there.
func (s *Set[T]) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for one := range s.m {
		go s.End(one)
	}
}

// Wait waits until all have been removed.
func (s *Set[T]) Wait() { s.wg.Wait() }

package main

import "sync"

// postQueue is functions for a worker, and one wake-up for all that are in it.
type postQueue struct {
	wake func() // called under the lock, so that close waits for it

	mu     sync.Mutex
	queue  []func()
	spare  []func()
	woken  bool
	closed bool
}

// add reports false when the worker's object is gone.
func (q *postQueue) add(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.queue = append(q.queue, f)
	if !q.woken {
		q.woken = true
		q.wake()
	}
	return true
}

// run gives each function that was added until now to do; what these add comes next time.
func (q *postQueue) run(do func(func())) {
	q.mu.Lock()
	run := q.queue
	q.queue, q.spare = q.spare[:0], nil
	q.woken = false
	q.mu.Unlock()
	for i, f := range run {
		run[i] = nil
		do(f)
	}
	q.mu.Lock()
	q.spare = run[:0]
	q.mu.Unlock()
}

// close takes no more, and drops what waits.
func (q *postQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.queue = true, nil
}

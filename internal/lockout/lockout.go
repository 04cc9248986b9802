// Package lockout answers those slowly who fail to prove who they are again and again, by their network address. It
// owns the counting and the wait; what counts as a failure is the caller's.
package lockout

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"
)

// Config bounds failed attempts per client address (per /64 for IPv6).
// It is a bucket: Burst failures may come at once, and one is forgiven every
// Refill. While the bucket is full, failures are answered slowly. A credential
// that is good is let through all the same: it cannot be guessed, and many
// agents share one address behind a proxy, so one that is broken must not lock out the rest.
type Config struct {
	Burst    int           // 0 means 10; negative turns the lockout off
	Refill   time.Duration // 0 means 6 s
	Capacity int           // addresses kept; 0 means 10,000; the least recently used is forgotten
	MaxStall time.Duration // how slowly at most; 0 means 2 s
}

// maxStalled bounds how many answers are kept back at once; more are given quickly.
const maxStalled = 1000

// Lockout counts failures. It is safe for concurrent use.
type Lockout struct {
	c   Config
	now func() time.Time

	stalled chan struct{}

	mu      sync.Mutex
	order   *list.List // of *bucket, most recent first
	buckets map[netip.Prefix]*list.Element
}

type bucket struct {
	key   netip.Prefix
	level float64 // failures
	at    time.Time
}

// New makes one.
func New(c Config, now func() time.Time) *Lockout {
	if c.Burst == 0 {
		c.Burst = 10
	}
	if c.Refill <= 0 {
		c.Refill = 6 * time.Second
	}
	if c.Capacity <= 0 {
		c.Capacity = 10_000
	}
	if c.MaxStall <= 0 {
		c.MaxStall = 2 * time.Second
	}
	return &Lockout{c: c, now: now, stalled: make(chan struct{}, maxStalled), order: list.New(), buckets: map[netip.Prefix]*list.Element{}}
}

// Client is the key of a host:port. What is no address shares one key.
func Client(addr string) netip.Prefix {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

// Strike counts a failed attempt and, when there were too many, keeps the answer back for a while. It reports whether there were.
// A nil Lockout counts nothing.
func (l *Lockout) Strike(ctx context.Context, addr string) bool {
	if l == nil {
		return false
	}
	wait := l.Locked(addr)
	l.Failed(addr)
	if wait > 0 {
		l.Stall(ctx, wait)
	}
	return wait > 0
}

// Locked says how long the address must wait; 0 means not at all.
func (l *Lockout) Locked(addr string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.buckets[Client(addr)]
	if !ok || l.c.Burst < 0 {
		return 0
	}
	b := e.Value.(*bucket)
	l.leak(b)
	if over := b.level - float64(l.c.Burst) + 1; over > 0 {
		return time.Duration(over * float64(l.c.Refill))
	}
	return 0
}

// Stall keeps an answer back.
func (l *Lockout) Stall(ctx context.Context, wait time.Duration) {
	select {
	case l.stalled <- struct{}{}:
		defer func() { <-l.stalled }()
	default:
		return
	}
	t := time.NewTimer(min(wait, l.c.MaxStall))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Failed counts a failure.
func (l *Lockout) Failed(addr string) {
	if l.c.Burst < 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := Client(addr)
	e, ok := l.buckets[key]
	if !ok {
		if l.order.Len() >= l.c.Capacity {
			last := l.order.Back()
			delete(l.buckets, last.Value.(*bucket).key)
			l.order.Remove(last)
		}
		e = l.order.PushFront(&bucket{key: key, at: l.now()})
		l.buckets[key] = e
	}
	l.order.MoveToFront(e)
	b := e.Value.(*bucket)
	l.leak(b)
	b.level = min(b.level+1, float64(l.c.Burst))
}

func (l *Lockout) leak(b *bucket) {
	now := l.now()
	if d := now.Sub(b.at); d > 0 {
		b.level = max(0, b.level-float64(d)/float64(l.c.Refill))
		b.at = now
	}
}

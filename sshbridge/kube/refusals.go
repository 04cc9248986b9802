package kube

import (
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/session"
)

// refusals remembers for a moment what was refused over WebSocket: kubectl asks the same again over SPDY at once,
// and gets the same answer, instead of a second hold. It can only say no.
type refusals struct {
	now func() time.Time
	mu  sync.Mutex
	m   map[string]refusedAt
}

type refusedAt struct {
	status *kube.Status
	until  time.Time
}

const (
	rememberFor  = 5 * time.Second
	maxRemembers = 4096
)

// key is of everything that makes a request the same; the client's port is not.
func (f *front) key(uri string) string {
	return session.SpanKey("kube", f.target, f.token, f.spiffe, f.digest, uri)
}

func (r *refusals) put(key string, s *kube.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.m == nil {
		r.m = map[string]refusedAt{}
	}
	for k, v := range r.m {
		if now.After(v.until) {
			delete(r.m, k)
		}
	}
	if len(r.m) < maxRemembers {
		r.m[key] = refusedAt{s, now.Add(rememberFor)}
	}
}

// take gives what was refused, once.
func (r *refusals) take(key string) *kube.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.m[key]
	delete(r.m, key)
	if !ok || r.now().After(v.until) {
		return nil
	}
	return v.status
}

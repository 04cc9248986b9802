package page

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds of sign-ins at the provider that have begun. Anybody may begin one, so an address with too many loses its own oldest, and when
// there are too many in all, the address that has most does: nobody is refused for what others do.
const (
	flowLife    = 10 * time.Minute
	maxFlows    = 10_000
	maxFlowsPer = 500 // of one address; many people may share one
)

// flow is a sign-in that has begun: what has to come back.
type flow struct {
	state, nonce, verifier, next string
	begun                        time.Time
}

type flowKey [sha256.Size]byte // of the cookie

// flows are kept here, and not in the cookie: a cookie is what an attacker may plant. The zero value is ready.
type flows struct {
	mu    sync.Mutex
	m     map[flowKey]flow
	order map[netip.Prefix][]flowKey // of each client, the oldest first; those that were taken stay in it until their time
}

// add keeps a flow of a client and gives its cookie.
func (f *flows) add(one flow, client netip.Prefix, now time.Time) (cookie string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.m == nil {
		f.m, f.order = map[flowKey]flow{}, map[netip.Prefix][]flowKey{}
	}
	f.trim(client, now)
	if len(f.order[client]) >= maxFlowsPer {
		f.drop(client)
	}
	if len(f.m) >= maxFlows {
		for c := range f.order {
			f.trim(c, now)
		}
	}
	for len(f.m) >= maxFlows {
		f.drop(f.most())
	}
	cookie = secret()
	k := flowKey(sha256.Sum256([]byte(cookie)))
	f.m[k], f.order[client] = one, append(f.order[client], k)
	return cookie
}

// trim forgets a client's oldest that were taken, or whose time is over.
func (f *flows) trim(client netip.Prefix, now time.Time) {
	for list := f.order[client]; len(list) > 0; list = f.order[client] {
		if one, there := f.m[list[0]]; there && now.Sub(one.begun) <= flowLife {
			return
		}
		f.drop(client)
	}
}

// drop forgets a client's oldest.
func (f *flows) drop(client netip.Prefix) {
	list := f.order[client]
	delete(f.m, list[0])
	if f.order[client] = list[1:]; len(list) == 1 {
		delete(f.order, client)
	}
}

// most is the client that has most.
func (f *flows) most() (client netip.Prefix) {
	n := 0
	for c, list := range f.order {
		if len(list) > n {
			client, n = c, len(list)
		}
	}
	return client
}

// take gives a flow once.
func (f *flows) take(cookie string, now time.Time) (flow, bool) {
	k := flowKey(sha256.Sum256([]byte(cookie)))
	f.mu.Lock()
	defer f.mu.Unlock()
	one, ok := f.m[k]
	delete(f.m, k)
	return one, ok && now.Sub(one.begun) <= flowLife
}

// flowCookie is what a browser keeps while it is at the provider. Lax: the provider sends the browser back from another site.
func (s *server) flowCookie(r *http.Request, value string, age int) *http.Cookie {
	name, secure := "dragoman_oidc", s.logins.secure(r)
	if secure {
		name = "__Secure-" + name
	}
	return &http.Cookie{Name: name, Value: value, Path: "/login/oidc", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: age}
}

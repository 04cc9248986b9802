package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// How long keys are believed.
const (
	// DefaultRefreshEvery is the least time between two fetches: whoever sends
	// made-up key ids cannot make us flood the issuer.
	DefaultRefreshEvery = 5 * time.Second
	// maxAge is when keys are fetched anew, so that one that the issuer has
	// withdrawn is not believed for longer.
	maxAge = 10 * time.Minute
	// maxStale is how long keys are believed while the issuer cannot be reached.
	maxStale = time.Hour
	// maxKeys bounds a key set.
	maxKeys = 100
)

// offlineError: the issuer's keys cannot be had.
type offlineError struct{ err error }

func (e *offlineError) Error() string {
	return fmt.Sprintf("the issuer's keys cannot be fetched: %v", e.err)
}

func (e *offlineError) Unwrap() error { return e.err }

// keySet caches an issuer's keys. It implements oidc.KeySet.
type keySet struct {
	c Config

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time     // of keys
	tried   time.Time     // of the last fetch, good or bad
	failed  error         // of the last fetch
	running chan struct{} // closed when the fetch that runs has ended; nil: none
}

var _ oidc.KeySet = (*keySet)(nil)

func newKeySet(c Config) *keySet {
	if c.RefreshEvery <= 0 {
		c.RefreshEvery = DefaultRefreshEvery
	}
	return &keySet{c: c}
}

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	sig, err := jose.ParseSignedCompact(raw, signatureAlgorithms(k.c.Algorithms))
	if err != nil {
		return nil, errors.New("not a signed token")
	}
	head := sig.Signatures[0].Header
	keys, err := k.candidates(ctx, head.KeyID, head.Algorithm)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if payload, err := sig.Verify(&keys[i]); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("no key of the issuer made this signature (kid %.64q)", head.KeyID)
}

// candidates are the keys that may have signed; it fetches when the cached
// ones are old or have none.
func (k *keySet) candidates(ctx context.Context, kid, alg string) ([]jose.JSONWebKey, error) {
	for range 2 {
		k.mu.Lock()
		now := k.c.Now()
		found := match(k.keys, kid, alg)
		age := now.Sub(k.fetched)
		if len(found) > 0 && age < maxAge {
			k.mu.Unlock()
			return found, nil
		}
		if k.running == nil && !k.tried.IsZero() && now.Sub(k.tried) < k.c.RefreshEvery {
			defer k.mu.Unlock()
			return k.settle(found, age)
		}
		done := k.refresh(ctx, now)
		k.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return nil, &offlineError{ctx.Err()}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.settle(match(k.keys, kid, alg), k.c.Now().Sub(k.fetched))
}

// settle answers with what is there; it needs the lock.
func (k *keySet) settle(found []jose.JSONWebKey, age time.Duration) ([]jose.JSONWebKey, error) {
	switch {
	case len(found) > 0 && age < maxStale:
		return found, nil
	case k.failed != nil:
		return nil, &offlineError{k.failed}
	}
	return nil, errors.New("the issuer has no such key")
}

// refresh starts a fetch unless one runs; it needs the lock. The fetch does
// not end with the token that asked for it, since others wait too.
func (k *keySet) refresh(ctx context.Context, now time.Time) <-chan struct{} {
	if k.running != nil {
		return k.running
	}
	done := make(chan struct{})
	k.running, k.tried = done, now
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*fetchTimeout)
	go func() {
		defer cancel()
		body, err := k.fetch(ctx)
		var keys []jose.JSONWebKey
		if err == nil {
			keys, err = parseKeys(body)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.failed = err; err == nil {
			k.keys, k.fetched = keys, k.c.Now()
		} else {
			k.c.Log.Warn("an issuer's keys cannot be fetched", "issuer", k.c.Issuer, "err", err)
		}
		k.running = nil
		close(done)
	}()
	return done
}

// parseKeys takes the keys that can verify; those of other kinds are left out.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, errors.New("the key set is not a JSON document (or is too long)")
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, over the limit of %d", len(doc.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range doc.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !key.IsPublic() || !key.Valid() || key.Use != "" && key.Use != "sig" {
			continue
		}
		if r, ok := key.Key.(*rsa.PublicKey); ok && r.N.BitLen() < 2048 {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that verifies signatures")
	}
	return keys, nil
}

// match chooses by key id, where the token names one, and algorithm, where the key does.
func match(keys []jose.JSONWebKey, kid, alg string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, k := range keys {
		if (kid == "" || k.KeyID == kid) && (k.Algorithm == "" || k.Algorithm == alg) {
			found = append(found, k)
		}
	}
	return found
}

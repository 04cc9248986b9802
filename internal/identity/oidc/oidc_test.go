package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
)

// ownIssuer is a small issuer whose keys the test turns.
type ownIssuer struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	body    func() []byte // instead of the key set
	fetches atomic.Int32
	down    atomic.Bool
	claimed string // issuer in the discovery document, "" for the true one
}

func newOwnIssuer(t *testing.T) *ownIssuer {
	t.Helper()
	o := &ownIssuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if o.down.Load() {
			http.Error(w, strings.Repeat("down ", 1000), http.StatusBadGateway)
			return
		}
		iss := o.claimed
		if iss == "" {
			iss = o.URL
		}
		json.NewEncoder(w).Encode(map[string]any{"issuer": iss, "jwks_uri": o.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		o.fetches.Add(1)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.body != nil {
			w.Write(o.body())
			return
		}
		set := jose.JSONWebKeySet{}
		for _, k := range o.keys {
			set.Keys = append(set.Keys, k.Public())
		}
		json.NewEncoder(w).Encode(set)
	})
	mux.HandleFunc("/redirect/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/.well-known/openid-configuration", http.StatusFound)
	})
	o.Server = httptest.NewTLSServer(mux)
	t.Cleanup(o.Close)
	return o
}

// turn makes a new key the only one.
func (o *ownIssuer) turn(t *testing.T, kid string) jose.JSONWebKey {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := jose.JSONWebKey{Key: priv, KeyID: kid, Algorithm: "ES256", Use: "sig"}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = []jose.JSONWebKey{k}
	return k
}

func signWith(t *testing.T, k jose.JSONWebKey, alg jose.SignatureAlgorithm, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(claims)
	sig, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := sig.CompactSerialize()
	return raw
}

// claims of a good token, changed by with; nil removes.
func (o *ownIssuer) claims(now time.Time, with map[string]any) map[string]any {
	c := map[string]any{"iss": o.URL, "aud": "dragoman", "sub": "alice", "jti": "t1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for k, v := range with {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

type setClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *setClock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *setClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (o *ownIssuer) verifier(t *testing.T, clock *setClock, m Mapping) *Verifier {
	t.Helper()
	client, err := NewClient(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Issuer: o.URL, Audiences: []string{"other", "dragoman"}, Mapping: m, Client: client, Now: clock.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newSetClock() *setClock { return &setClock{t: time.Now()} }

func TestRotation(t *testing.T) {
	o, clock := newOwnIssuer(t), newSetClock()
	v := o.verifier(t, clock, Mapping{})
	old := o.turn(t, "one")
	verify := func(k jose.JSONWebKey) identity.Reason {
		_, err := v.Verify(t.Context(), signWith(t, k, jose.ES256, o.claims(clock.now(), nil)))
		return identity.ReasonOf(err)
	}
	if r := verify(old); r != "" {
		t.Fatal(r)
	}
	next := o.turn(t, "two")
	if r := verify(old); r != "" { // not fetched for a known key
		t.Fatal(r)
	}
	clock.add(DefaultRefreshEvery)
	if r := verify(next); r != "" {
		t.Fatal(r)
	}
	if r := verify(old); r != identity.ReasonSignature { // it has gone from the set
		t.Fatal(r)
	}
	// Made-up key ids do not flood the issuer.
	before := o.fetches.Load()
	stranger := next
	for i := range 200 {
		stranger.KeyID = fmt.Sprint("made-up", i)
		if r := verify(stranger); r != identity.ReasonSignature {
			t.Fatal(r)
		}
	}
	if n := o.fetches.Load() - before; n > 1 {
		t.Errorf("%d fetches for made-up keys", n)
	}
	// A key that the issuer withdrew is not believed for longer than maxAge.
	o.turn(t, "three")
	clock.add(maxAge)
	if r := verify(next); r != identity.ReasonSignature {
		t.Fatal(r)
	}
}

func TestIssuerAway(t *testing.T) {
	o, clock := newOwnIssuer(t), newSetClock()
	k := o.turn(t, "one")
	v := o.verifier(t, clock, Mapping{})
	o.down.Store(true)
	verify := func() error {
		_, err := v.Verify(t.Context(), signWith(t, k, jose.ES256, o.claims(clock.now(), nil)))
		return err
	}
	if err := verify(); identity.ReasonOf(err) != identity.ReasonOffline || len(err.Error()) > 600 {
		t.Fatal(err)
	}
	o.down.Store(false)
	clock.add(DefaultRefreshEvery)
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	o.down.Store(true)
	clock.add(maxAge)
	if err := verify(); err != nil {
		t.Fatalf("keys fetched %s ago are good while the issuer is away: %v", maxAge, err)
	}
	clock.add(maxStale)
	if err := verify(); identity.ReasonOf(err) != identity.ReasonOffline {
		t.Fatal(err)
	}
}

func TestConcurrentFirstUse(t *testing.T) {
	o, clock := newOwnIssuer(t), newSetClock()
	k := o.turn(t, "one")
	v := o.verifier(t, clock, Mapping{})
	raw := signWith(t, k, jose.ES256, o.claims(clock.now(), nil))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := o.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestAttacks(t *testing.T) {
	o, clock := newOwnIssuer(t), newSetClock()
	k := o.turn(t, "one")
	v := o.verifier(t, clock, Mapping{})
	now := clock.now()
	es := func(with map[string]any) string { return signWith(t, k, jose.ES256, o.claims(now, with)) }
	good := es(nil)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	payload := strings.Split(good, ".")[1]
	deep := map[string]any{"sub": "a"}
	for range identity.MaxDepth {
		deep = map[string]any{"sub": "a", "act": deep}
	}
	for name, c := range map[string]struct {
		raw  string
		want identity.Reason
	}{
		"none":           {part(`{"alg":"none"}`) + "." + payload + ".", identity.ReasonMalformed},
		"HS256":          {signWith(t, jose.JSONWebKey{Key: []byte(strings.Repeat("k", 32)), KeyID: "one"}, jose.HS256, o.claims(now, nil)), identity.ReasonMalformed},
		"foreign key":    {signWith(t, jose.JSONWebKey{Key: other, KeyID: "one"}, jose.ES256, o.claims(now, nil)), identity.ReasonSignature},
		"other alg":      {signWith(t, jose.JSONWebKey{Key: rsaKey, KeyID: "one"}, jose.RS256, o.claims(now, nil)), identity.ReasonSignature},
		"kid path":       {signWith(t, jose.JSONWebKey{Key: other, KeyID: "../one"}, jose.ES256, o.claims(now, nil)), identity.ReasonSignature},
		"audience":       {es(map[string]any{"aud": "x"}), identity.ReasonAudience},
		"no audience":    {es(map[string]any{"aud": nil}), identity.ReasonAudience},
		"issuer":         {es(map[string]any{"iss": "https://evil.example"}), identity.ReasonSignature},
		"issuer slash":   {es(map[string]any{"iss": o.URL + "/"}), identity.ReasonSignature},
		"expired":        {es(map[string]any{"exp": now.Unix() - 1}), identity.ReasonExpired},
		"no expiry":      {es(map[string]any{"exp": nil}), identity.ReasonClaims},
		"nbf":            {es(map[string]any{"nbf": now.Unix() + 60}), identity.ReasonNotYet},
		"depth":          {es(map[string]any{"act": deep}), identity.ReasonClaims},
		"no sub":         {es(map[string]any{"sub": nil}), identity.ReasonClaims},
		"NUL":            {es(map[string]any{"sub": "a\x00"}), identity.ReasonMalformed},
		"groups of ints": {es(map[string]any{"groups": []int{1}}), identity.ReasonClaims},
		"group control":  {es(map[string]any{"groups": []string{"a\nb"}}), identity.ReasonClaims},
		"bound to a key": {es(map[string]any{"cnf": map[string]any{"jkt": "x"}}), identity.ReasonBinding},
		"long sub":       {es(map[string]any{"sub": strings.Repeat("a", 300)}), identity.ReasonClaims},
		"oversized":      {es(map[string]any{"pad": strings.Repeat("a", identity.MaxToken)}), identity.ReasonMalformed},
	} {
		if p, err := v.Verify(t.Context(), c.raw); identity.ReasonOf(err) != c.want || p.Identity.Subject != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := v.Verify(t.Context(), es(map[string]any{"sub": "a*/ b>c'é"}))
	if err != nil || p.Identity.Subject != "a%2A/%20b%3Ec%27%C3%A9" {
		t.Errorf("%q %v", p.Identity.Subject, err)
	}
}

// An issuer that misbehaves gives no identity.
func TestBadIssuer(t *testing.T) {
	small, _ := rsa.GenerateKey(rand.Reader, 2048)
	for name, c := range map[string]func(*ownIssuer){
		"another issuer's document": func(o *ownIssuer) { o.claimed = "https://other.example" },
		"huge key set": func(o *ownIssuer) {
			o.body = func() []byte { return []byte(`{"keys":[` + strings.Repeat(" ", 2<<20) + `]}`) }
		},
		"many keys": func(o *ownIssuer) {
			o.body = func() []byte { return []byte(`{"keys":[` + strings.Repeat("{},", 200) + `{}]}`) }
		},
		"only secrets": func(o *ownIssuer) {
			o.body = func() []byte { return []byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"one"}]}`) }
		},
		"private key": func(o *ownIssuer) {
			b, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: crypto.PrivateKey(small), KeyID: "one"}}})
			o.body = func() []byte { return b }
		},
		"no JSON": func(o *ownIssuer) { o.body = func() []byte { return []byte("<html>") } },
	} {
		o, clock := newOwnIssuer(t), newSetClock()
		k := o.turn(t, "one")
		c(o)
		v := o.verifier(t, clock, Mapping{})
		if _, err := v.Verify(t.Context(), signWith(t, k, jose.ES256, o.claims(clock.now(), nil))); identity.ReasonOf(err) != identity.ReasonOffline {
			t.Errorf("%s: %v", name, err)
		}
	}
}

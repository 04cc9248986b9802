package token

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// clock is a settable time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type rig struct {
	*Issuer
	clock *clock
	dir   string
	path  string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := newClock()
	dir := t.TempDir()
	path := filepath.Join(dir, "authz.db")
	return &rig{Issuer: openIssuer(t, c, dir, path), clock: c, dir: filepath.Join(dir, "keys"), path: path}
}

// newSharedRig is newRig on a PostgreSQL: its path is the database's URL.
func newSharedRig(t *testing.T) *rig {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	c, dir := newClock(), t.TempDir()
	return &rig{Issuer: openIssuer(t, c, dir, s.URL("postgres")), clock: c, dir: filepath.Join(dir, "keys"), path: s.URL("postgres")}
}

// openStore opens one more store of what is at path: a file, or a URL.
func openStore(t *testing.T, c *clock, path string) *Store {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if strings.HasPrefix(path, "postgres:") {
		db, err := pgdb.Open(t.Context(), path, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		store, err := NewPostgres(t.Context(), db, c.now, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		return store
	}
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := NewStore(t.Context(), db, c.now, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close(); db.Close() })
	return store
}

func openIssuer(t *testing.T, c *clock, dir, path string) *Issuer {
	t.Helper()
	store := openStore(t, c, path)
	keys, err := OpenKeys(filepath.Join(dir, "keys"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return NewIssuer(keys, store, Config{Now: c.now})
}

func (r *rig) mint(t *testing.T, req MintRequest) (string, Issued) {
	t.Helper()
	raw, is, err := r.Mint(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return raw, is
}

func TestMintVerify(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		req  MintRequest
		want []string
	}{
		{MintRequest{Subject: "agent:ci-bot"}, []string{"agent:ci-bot"}},
		{MintRequest{Subject: "agent:ci-bot", OnBehalfOf: "user:alice@example.com", Groups: []string{"analysts"}},
			[]string{"user:alice@example.com", "agent:ci-bot"}},
		{MintRequest{Chain: []string{"user:a", "agent:b", "agent:c"}, Targets: []string{"shop"}}, []string{"user:a", "agent:b", "agent:c"}},
	} {
		raw, is := r.mint(t, c.req)
		p, err := r.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		id := p.Identity
		if !reflect.DeepEqual(id.Actors, c.want) || id.Subject != c.want[len(c.want)-1] || id.Method != identity.MethodToken {
			t.Errorf("%+v", id)
		}
		if len(c.want) > 1 && id.OnBehalfOf != c.want[0] {
			t.Errorf("on behalf of %q", id.OnBehalfOf)
		}
		if len(id.Groups) != len(c.req.Groups) || !reflect.DeepEqual(Targets(id), c.req.Targets) {
			t.Errorf("groups %v targets %v", id.Groups, Targets(id))
		}
		if id.TokenID != is.Identity.TokenID || !id.Expires.Equal(r.clock.now().Truncate(time.Second).Add(time.Hour)) {
			t.Errorf("%+v", id)
		}
	}
}

// The claims are what RFC 8693 says: sub is the principal, the outermost act
// is who acts now.
func TestClaimsShape(t *testing.T) {
	r := newRig(t)
	raw, _ := r.mint(t, MintRequest{Chain: []string{"user:a", "agent:b", "agent:c"}})
	c, err := r.signed(raw)
	if err != nil {
		t.Fatal(err)
	}
	if string(c["sub"]) != `"user:a"` || string(c["act"]) != `{"sub":"agent:c","act":{"sub":"agent:b"}}` || string(c["aud"]) != `"dragoman"` {
		t.Fatalf("sub %s act %s aud %s", c["sub"], c["act"], c["aud"])
	}
}

func TestMintRefuses(t *testing.T) {
	r := newRig(t)
	deep := make([]string, identity.MaxDepth+1)
	for i := range deep {
		deep[i] = "agent:a"
	}
	for name, req := range map[string]MintRequest{
		"nobody":        {},
		"only behalf":   {OnBehalfOf: "user:a"},
		"both ways":     {Subject: "a", Chain: []string{"a"}},
		"comment end":   {Subject: "agent:*/drop"},
		"newline":       {Subject: "agent:a\nb"},
		"nul":           {Subject: "agent:a\x00b"},
		"chain mark":    {Subject: "agent:a>b"},
		"unicode":       {Subject: "agent:аlice"},
		"long":          {Subject: strings.Repeat("a", identity.MaxName+1)},
		"deep":          {Chain: deep},
		"ttl":           {Subject: "a", TTL: 25 * time.Hour},
		"negative ttl":  {Subject: "a", TTL: -time.Hour},
		"group control": {Subject: "a", Groups: []string{"x\ty"}},
		"target":        {Subject: "a", Targets: []string{"x y"}},
		"cnf":           {Subject: "a", CertDigest: "abc"},
	} {
		if raw, _, err := r.Mint(t.Context(), req); err == nil || raw != "" {
			t.Errorf("%s: minted", name)
		}
	}
	if list, err := r.store.List(t.Context(), true, 10); err != nil || len(list) != 0 {
		t.Fatalf("%v %v", list, err)
	}
}

func TestWindow(t *testing.T) {
	r := newRig(t)
	raw, _ := r.mint(t, MintRequest{Subject: "a", TTL: time.Minute})
	r.clock.add(-29 * time.Second)
	if _, err := r.Verify(t.Context(), raw); err != nil {
		t.Errorf("within leeway: %v", err)
	}
	r.clock.add(-2 * time.Second)
	if _, err := r.Verify(t.Context(), raw); identity.ReasonOf(err) != identity.ReasonNotYet {
		t.Errorf("before nbf: %v", err)
	}
	r.clock.add(31*time.Second + time.Minute)
	var e *identity.Error
	if _, err := r.Verify(t.Context(), raw); !errors.As(err, &e) || e.Reason != identity.ReasonExpired || !e.Proven {
		t.Errorf("after exp: %v", err)
	}
}

func TestRotation(t *testing.T) {
	r := newRig(t)
	old := r.keys.KeyID()
	raw1, _ := r.mint(t, MintRequest{Subject: "a"})
	// another process rotates
	r.clock.add(2 * time.Second)
	other := openIssuer(t, r.clock, filepath.Dir(r.dir), r.path)
	kid, err := other.keys.Rotate()
	if err != nil || kid == old {
		t.Fatal(kid, err)
	}
	raw2, _, err := other.Mint(t.Context(), MintRequest{Subject: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range []string{raw1, raw2} {
		if _, err := r.Verify(t.Context(), raw); err != nil {
			t.Errorf("token %d: %v", i+1, err)
		}
	}
	matches, _ := filepath.Glob(filepath.Join(r.dir, "*-"+old+".pem"))
	fi, err := os.Stat(matches[0])
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatal(fi, err)
	}
	if err := os.Remove(matches[0]); err != nil {
		t.Fatal(err)
	}
	keys, err := OpenKeys(r.dir, r.clock.now)
	if err != nil || !reflect.DeepEqual(keys.KeyIDs(), []string{kid}) {
		t.Fatal(keys, err)
	}
	if _, err := NewIssuer(keys, r.store, Config{Now: r.clock.now}).Verify(t.Context(), raw1); identity.ReasonOf(err) != identity.ReasonSignature {
		t.Errorf("retired key: %v", err)
	}
}

func TestKeyFilesRefused(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"mode":    func(p string) error { return os.Chmod(p, 0o640) },
		"garbage": func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"huge":    func(p string) error { return os.Truncate(p, maxKeyFile+1) },
	} {
		dir := t.TempDir()
		if _, err := OpenKeys(dir, time.Now); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.pem"))
		if err := spoil(files[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(dir, time.Now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSingleKeyFile(t *testing.T) {
	r := newRig(t)
	files, _ := filepath.Glob(filepath.Join(r.dir, "*.pem"))
	keys, err := OpenKeys(files[0], r.clock.now)
	if err != nil || keys.KeyID() != r.keys.KeyID() {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(); err == nil {
		t.Fatal("rotated into a file")
	}
}

// TestRevoke is the same for both stores.
func TestRevoke(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		r := newRig(t)
		raw := revoke(t, r)
		data, _ := os.ReadFile(r.path)
		wal, _ := os.ReadFile(r.path + "-wal")
		if strings.Contains(string(data)+string(wal), raw[len(raw)-40:]) {
			t.Error("the token itself is in the database")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		r := newSharedRig(t)
		revoke(t, r)
		revokeAtOnce(t, r)
	})
}

// revokeAtOnce: with several replicas that revoke at the same time, each hears of all.
func revokeAtOnce(t *testing.T, r *rig) {
	const each = 40
	stores := []*Store{openStore(t, r.clock, r.path), openStore(t, r.clock, r.path)}
	heard := make([]chan int64, len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		heard[i] = make(chan int64, 10*each)
		defer s.Subscribe(func(v identity.Revocation) { heard[i] <- v.ID })()
		for range 2 {
			wg.Go(func() {
				for range each / 2 {
					if _, err := s.Revoke(t.Context(), "tok_x", "test", "y"); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for i := range stores {
		for n, last := 0, int64(0); n < len(stores)*each; n++ {
			select {
			case id := <-heard[i]:
				if id <= last {
					t.Errorf("%d after %d", id, last)
				}
				last = id
			case <-time.After(60 * time.Second):
				t.Fatalf("store %d heard of %d of %d", i, n, len(stores)*each)
			}
		}
	}
}

// revoke returns a token that was issued.
func revoke(t *testing.T, r *rig) string {
	auth, err := identity.NewAuthenticator([]identity.Verifier{r.Issuer}, nil, r.store)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan identity.Revocation, 10)
	defer r.store.Subscribe(func(v identity.Revocation) { got <- v })()

	raw1, is1 := r.mint(t, MintRequest{Subject: "agent:b", OnBehalfOf: "user:a"})
	raw2, _ := r.mint(t, MintRequest{Subject: "agent:b", OnBehalfOf: "user:A"})
	ok := func(raw string, want bool) {
		t.Helper()
		_, err := auth.Authenticate(context.Background(), identity.Credential{Token: raw})
		if want != (err == nil) || err != nil && identity.ReasonOf(err) != identity.ReasonRevoked {
			t.Errorf("want %v, got %v", want, err)
		}
	}
	ok(raw1, true)
	if _, err := r.store.Revoke(t.Context(), is1.Identity.TokenID, "test", "stolen"); err != nil {
		t.Fatal(err)
	}
	ok(raw1, false)
	ok(raw2, true)
	// by subject, from another process, in another spelling
	other := openIssuer(t, r.clock, filepath.Dir(r.dir), r.path)
	start := time.Now()
	if _, err := other.store.RevokeSubject(t.Context(), "user:a", "test", "left"); err != nil {
		t.Fatal(err)
	}
	ok(raw2, false)
	if v := <-got; v.TokenID != is1.Identity.TokenID {
		t.Errorf("%+v", v)
	}
	if v := <-got; v.Subject != "user:a" || time.Since(start) > 30*time.Second {
		t.Errorf("%+v after %s", v, time.Since(start))
	}
	r.clock.add(time.Millisecond)
	raw3, _ := r.mint(t, MintRequest{Subject: "agent:b", OnBehalfOf: "user:a"})
	ok(raw3, true) // issued later, in the same second
	list, err := r.store.List(t.Context(), false, 10)
	if err != nil || len(list) != 3 || list[0].Revoked != nil || list[1].Revoked == nil || list[2].Revoked == nil {
		t.Fatalf("%+v %v", list, err)
	}
	if err := r.store.Prune(t.Context(), r.clock.now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	ok(raw3, false) // no longer listed
	return raw1
}

func TestCertificateBinding(t *testing.T) {
	r := newRig(t)
	auth, _ := identity.NewAuthenticator([]identity.Verifier{r.Issuer}, nil, r.store)
	digest := strings.Repeat("ab", 32)
	raw, _ := r.mint(t, MintRequest{Subject: "a", CertDigest: digest})
	for cert, want := range map[string]identity.Reason{digest: "", strings.ToUpper(digest): "", "": identity.ReasonBinding, strings.Repeat("ac", 32): identity.ReasonBinding} {
		if _, err := auth.Authenticate(t.Context(), identity.Credential{Token: raw, CertDigest: cert}); identity.ReasonOf(err) != want {
			t.Errorf("%.4s: %v", cert, err)
		}
	}
}

func privateOf(t *testing.T, k *Keys) (string, ed25519.PrivateKey) {
	t.Helper()
	kid, key := k.signing()
	return kid, key
}

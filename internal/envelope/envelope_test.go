package envelope

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func opened(t *testing.T, current string, old ...string) *Keyring {
	t.Helper()
	r, err := OpenOrCreate(t.Context(), current, old...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "kek")
	r := opened(t, "file:"+path)
	k, w, err := r.New(t.Context(), "ses_1")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if strings.Contains(string(w), base64.StdEncoding.EncodeToString(k[:])) {
		t.Error("the data key is stored as it is")
	}
	again := opened(t, "file:"+path)
	if got, err := again.Unwrap(t.Context(), "ses_1", w); err != nil || got != k {
		t.Errorf("unwrapped: %v, the same: %v", err, got == k)
	}
	if again.Current() != r.Current() {
		t.Error("the same file has another id")
	}
	other, _, err := r.New(t.Context(), "ses_2")
	if err != nil || other == k {
		t.Error("two sessions have one key")
	}
}

// Nothing but the right session's own key, as it was wrapped, gives a data key.
func TestUnwrapRefuses(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, "file:"+filepath.Join(dir, "kek"))
	_, w, err := r.New(t.Context(), "ses_1")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(w)
	if err != nil {
		t.Fatal(err)
	}
	renamed := parsed
	renamed.Session = "ses_2"
	for name, c := range map[string]struct {
		session string
		w       []byte
	}{"another session's": {"ses_2", w}, "renamed": {"ses_2", renamed.Encode()}, "a prefix": {"ses_", w}} {
		if _, err := r.Unwrap(t.Context(), c.session, c.w); !errors.Is(err, ErrWrapped) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range parsed.Key {
		bad := parsed
		bad.Key = append([]byte(nil), parsed.Key...)
		bad.Key[i] ^= 1
		if _, err := r.Unwrap(t.Context(), "ses_1", bad.Encode()); err == nil {
			t.Fatalf("byte %d changed, and unwrapped", i)
		}
	}
	stranger := opened(t, "file:"+filepath.Join(dir, "other"))
	if _, err := stranger.Unwrap(t.Context(), "ses_1", w); !errors.Is(err, ErrUnknownKEK) {
		t.Errorf("another key-encryption key: %v", err)
	}
	for _, bad := range []string{"", "{}", "null", string(w) + "x", strings.Repeat(" ", maxWrapped+1),
		strings.Replace(string(w), `"version":1`, `"version":2`, 1), strings.Replace(string(w), `"version"`, `"more":1,"version"`, 1)} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrWrapped) {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	a, b := "file:"+filepath.Join(dir, "a"), "file:"+filepath.Join(dir, "b")
	k, w, err := opened(t, a).New(t.Context(), "ses_1")
	if err != nil {
		t.Fatal(err)
	}
	both := opened(t, b, a)
	n, changed, err := both.Rewrap(t.Context(), w)
	if err != nil || !changed || !strings.Contains(string(n), both.Current()) {
		t.Fatalf("%s %v %v", n, changed, err)
	}
	if _, changed, err := both.Rewrap(t.Context(), n); err != nil || changed {
		t.Errorf("wrapped again by the same: %v", err)
	}
	if got, err := opened(t, b).Unwrap(t.Context(), "ses_1", n); err != nil || got != k {
		t.Errorf("the new key-encryption key alone: %v", err)
	}
	if _, _, err := opened(t, b).Rewrap(t.Context(), w); !errors.Is(err, ErrUnknownKEK) {
		t.Errorf("rewrapped without the old one: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	good := base64.StdEncoding.EncodeToString(make([]byte, KeyLen))
	ok := write("ok", good, 0o600)
	for name, urls := range map[string][]string{
		"readable by all":  {write("open", good, 0o644)},
		"short":            {write("short", "AAAA", 0o600)},
		"not base64":       {write("text", strings.Repeat("!", 44), 0o600)},
		"an old one away":  {ok, "file:" + filepath.Join(dir, "none")},
		"twice":            {ok, write("same", good, 0o600)},
		"unknown scheme":   {"base64key://AAAA"},
		"no path":          {"file:"},
		"nothing":          {""},
		"no URL":           {"aws kms\x00"},
		"no key in an URL": {"hashivault://"},
	} {
		if r, err := Open(t.Context(), urls[0], urls[1:]...); err == nil {
			t.Errorf("%s: opened", name)
			r.Close()
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("an old key-encryption key that was away was made anew")
	}
}

// TestVault speaks to a small fake of the transit engine's documented HTTP API; no
// OpenBao or Vault runs here.
func TestVault(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Plaintext, Ciphertext string }
		if r.Header.Get("X-Vault-Token") != "the-token" || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		out := map[string]string{}
		switch r.URL.Path {
		case "/v1/transit/encrypt/records":
			out["ciphertext"] = "vault:v1:" + in.Plaintext
		case "/v1/transit/decrypt/records":
			out["plaintext"] = strings.TrimPrefix(in.Ciphertext, "vault:v1:")
		default:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"data": out})
	}))
	defer srv.Close()
	t.Setenv("VAULT_SERVER_URL", srv.URL)
	t.Setenv("VAULT_SERVER_TOKEN", "the-token")
	r := opened(t, "hashivault://records")
	k, w, err := r.New(t.Context(), "ses_1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Unwrap(t.Context(), "ses_1", w); err != nil || got != k {
		t.Error(err)
	}
	srv.Close()
	if _, err := r.Unwrap(t.Context(), "ses_1", w); err == nil {
		t.Error("unwrapped without Vault")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"session":"s","kek":"k","key":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(w.Encode()); err != nil || again.Session != w.Session || again.KEK != w.KEK || string(again.Key) != string(w.Key) {
			t.Errorf("%+v: %v", w, err)
		}
	})
}

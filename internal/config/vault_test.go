package config

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestVault speaks to a small fake of the KV version 2 HTTP API; no OpenBao or
// Vault runs here.
func TestVault(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Vault-Token") != "the-token" || r.Header.Get("X-Vault-Namespace") != "ns":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/v1/secret/data/apps/shop":
			fmt.Fprint(w, `{"data":{"data":{"password":"from vault","n":1},"metadata":{"version":3}}}`)
		case r.URL.Path == "/v1/secret/data/away":
			http.Redirect(w, r, "/v1/secret/data/apps/shop", http.StatusFound)
		case r.URL.Path == "/v1/secret/data/junk":
			fmt.Fprint(w, `{"data":{"data":"from vault"`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer srv.Close()
	t.Setenv("DRAGOMAN_TEST_VAULT", "the-token")
	c := &Config{Vault: Vault{Address: srv.URL, Namespace: "ns", Token: "env:DRAGOMAN_TEST_VAULT"}}
	v, err := c.Secrets().Resolve(t.Context(), "vault:secret/apps/shop#password")
	if err != nil || v.Reveal() != "from vault" {
		t.Fatalf("%q, %v", v.Reveal(), err)
	}
	for _, ref := range []Ref{"vault:secret/none#password", "vault:secret/apps/shop#none", "vault:secret/apps/shop#n", "vault:secret/away#password", "vault:secret/junk#password"} {
		if _, err := c.Secrets().Resolve(t.Context(), ref); err == nil || strings.Contains(err.Error(), "from vault") || strings.Contains(err.Error(), "the-token") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	c.Vault.Token = "env:DRAGOMAN_TEST_NOT_SET"
	if _, err := c.Secrets().Resolve(t.Context(), "vault:secret/apps/shop#password"); err == nil {
		t.Error("resolved without a token")
	}
}

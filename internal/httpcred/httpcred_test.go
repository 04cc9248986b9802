package httpcred

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
)

func source(t *testing.T, now *time.Time) *Source {
	t.Helper()
	keys, err := token.OpenKeys(filepath.Join(t.TempDir(), "keys"), func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return &Source{Secrets: (&config.Config{}).Secrets(), Keys: keys, Issuer: "here", Now: func() time.Time { return *now }}
}

var who = Session{ID: "ses_1", Identity: identity.New("user:alice", "agent:a", "agent:b")}

func TestIdentityHeader(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s := source(t, &now)
	got, err := s.Credentials(context.Background(), &config.Target{Name: "crm", HTTP: config.HTTP{IdentityHeader: new(true)}}, who)
	if err != nil || len(got.Headers) != 1 || got.Headers[0].Name != IdentityHeader || !got.Expires.Equal(now.Add(59*time.Minute)) {
		t.Fatalf("%v %v", got, err)
	}
	raw, err := s.Keys.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
		t.Fatal(string(raw), err)
	}
	sig, err := jose.ParseSignedCompact(got.Headers[0].Value, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := sig.Verify(set.Keys[0])
	want := `{"iss":"here","sub":"user:alice","aud":"crm","act":{"sub":"agent:b","act":{"sub":"agent:a"}},"sid":"ses_1","iat":1700000000,"exp":1700003600}`
	if err != nil || string(payload) != want {
		t.Error(string(payload), err)
	}
	if typ := sig.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != token.AssertionType {
		t.Error(typ)
	}
	if got, err := s.Credentials(context.Background(), &config.Target{Name: "crm", HTTP: config.HTTP{IdentityHeader: new(false)}}, who); err != nil || len(got.Headers) != 0 {
		t.Error(got, err)
	}
}

func TestCredentials(t *testing.T) {
	t.Setenv("HTTPCRED_SECRET", "pass")
	now := time.Now()
	for want, c := range map[string]config.Credentials{
		"authorization: Basic dTpwYXNz": {User: "u", Password: "env:HTTPCRED_SECRET"},
		"x-api-key: pass":               {HTTPCredentials: config.HTTPCredentials{Header: "X-Api-Key", Value: "env:HTTPCRED_SECRET"}},
	} {
		got, err := source(t, &now).Credentials(context.Background(), &config.Target{Name: "t", Credentials: c}, who)
		if err != nil || len(got.Headers) != 1 || got.Headers[0].Name+": "+got.Headers[0].Value != want || !got.Expires.IsZero() {
			t.Error(want, got, err)
		}
	}
	t.Setenv("HTTPCRED_SECRET", "a\r\nb: c")
	if _, err := source(t, &now).Credentials(context.Background(), &config.Target{Credentials: config.Credentials{
		HTTPCredentials: config.HTTPCredentials{Header: "X-Api-Key", Value: "env:HTTPCRED_SECRET"}}}, who); err == nil {
		t.Error("a value that breaks out of its field was taken")
	}
}

func TestOAuth(t *testing.T) {
	t.Setenv("HTTPCRED_SECRET", "s3:cret")
	asked, answer := 0, `{"access_token":"tok%d","token_type":"Bearer","expires_in":600}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "a b" || id != "me" || secret != "s3%3Acret" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		asked++
		fmt.Fprintf(w, answer, asked)
	}))
	defer srv.Close()
	now := time.Now()
	s := source(t, &now)
	target := &config.Target{Name: "t", Credentials: config.Credentials{HTTPCredentials: config.HTTPCredentials{OAuth: &config.OAuth{
		TokenURL: srv.URL, ClientID: "me", ClientSecret: "env:HTTPCRED_SECRET", Scopes: []string{"a", "b"}}}}}
	get := func() (string, error) {
		got, err := s.Credentials(context.Background(), target, who)
		if err != nil {
			return "", err
		}
		if !got.Expires.After(now) {
			return "", errors.New("it is spent already")
		}
		return got.Headers[0].Value, nil
	}
	for i, want := range []string{"Bearer tok1", "Bearer tok1", "Bearer tok2"} {
		if i == 2 {
			now = now.Add(10 * time.Minute)
		}
		if v, err := get(); err != nil || v != want {
			t.Error(v, err)
		}
	}
	now, answer = now.Add(time.Hour), `{"access_token":"x%d","token_type":"mac"}`
	if v, err := get(); err == nil {
		t.Error(v)
	}
}

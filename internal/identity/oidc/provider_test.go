package oidc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"dragoman.dev/dragoman/internal/identity"
)

// withGroups is the provider's example storage, made to issue JWT access
// tokens with groups and a delegation.
type withGroups struct{ *storage.Storage }

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func (s withGroups) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c, err := s.Storage.ClientCredentials(ctx, id, secret)
	if err != nil {
		return nil, err
	}
	return jwtClient{c}, nil
}

func (s withGroups) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	claims := map[string]any{"groups": []string{"analysts", "dba"}}
	for _, scope := range scopes {
		if scope == "delegate" {
			claims["act"] = map[string]any{"sub": "outer", "act": map[string]any{"sub": "inner"}}
		}
	}
	return claims, nil
}

// startProvider runs a real OpenID provider on loopback.
func startProvider(t *testing.T) (issuer string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer = "http://" + l.Addr().String()
	var key [32]byte
	rand.Read(key[:])
	p, err := op.NewProvider(&op.Config{CryptoKey: key, CryptoKeyId: "k"}, withGroups{storage.NewStorage(storage.NewUserStore(issuer))},
		op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: p, ReadHeaderTimeout: time.Second}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return issuer, func() { srv.Close() }
}

// clientToken does the client_credentials grant.
func clientToken(t *testing.T, issuer, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	req, _ := http.NewRequest(http.MethodPost, issuer+"/oauth/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("sid1", "verysecret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil || strings.Count(out.Token, ".") != 2 {
		t.Fatalf("%s: %s", res.Status, body)
	}
	return out.Token
}

func TestRealProvider(t *testing.T) {
	issuer, stop := startProvider(t)
	newVerifier := func(aud string) *Verifier {
		v, err := New(Config{Issuer: issuer, Audiences: []string{aud}, AllowHTTP: true, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Mapping: Mapping{SubjectPrefix: "svc:", ActorPrefix: "agent:", GroupPrefix: "idp/"}})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := newVerifier("sid1")
	p, err := v.Verify(t.Context(), clientToken(t, issuer, "openid"))
	if err != nil {
		t.Fatal(err)
	}
	if id := p.Identity; id.Chain() != "svc:sid1" || !id.InGroup("idp/dba") || id.Issuer != issuer || id.Method != identity.MethodOIDC ||
		id.TokenID == "" || time.Until(id.Expires) <= 0 {
		t.Fatalf("%+v", id)
	}
	raw := clientToken(t, issuer, "openid delegate")
	p, err = v.Verify(t.Context(), raw)
	if err != nil || p.Identity.Chain() != "svc:sid1>agent:inner>agent:outer" || p.Identity.Subject != "agent:outer" || p.Identity.OnBehalfOf != "svc:sid1" {
		t.Fatalf("%+v %v", p.Identity, err)
	}
	if _, err := newVerifier("other").Verify(t.Context(), raw); identity.ReasonOf(err) != identity.ReasonAudience {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), raw[:len(raw)-8]+"AAAAAAAA"); identity.ReasonOf(err) != identity.ReasonSignature && identity.ReasonOf(err) != identity.ReasonMalformed {
		t.Fatal(err)
	}
	stop()
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatalf("known keys do while the issuer is away: %v", err)
	}
	if _, err := newVerifier("sid1").Verify(t.Context(), raw); identity.ReasonOf(err) != identity.ReasonOffline || !strings.Contains(err.Error(), "cannot be fetched") {
		t.Fatalf("no keys, no issuer: %v", err)
	}
}

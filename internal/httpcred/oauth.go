package httpcred

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
)

const (
	tokenTimeout = 10 * time.Second
	maxAnswer    = 64 << 10        // of a token endpoint
	defaultLife  = 5 * time.Minute // of a token whose life is not told
)

// tokenCache keeps access tokens by target, and asks for each once at a time.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[string]*accessToken
}

type accessToken struct {
	mu    sync.Mutex
	value string
	ends  time.Time
}

func (c *tokenCache) of(target string) *accessToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[string]*accessToken{}
	}
	t := c.tokens[target]
	if t == nil {
		t = &accessToken{}
		c.tokens[target] = t
	}
	return t
}

// oauth is an access token by client credentials, from the cache while it is good for a while.
func (s *Source) oauth(ctx context.Context, t *config.Target) (check.Header, time.Time, error) {
	a := s.tokens.of(t.Name)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := s.Now()
	if a.value == "" || !now.Before(a.ends.Add(-margin)) {
		value, life, err := s.fetch(ctx, t)
		if err != nil {
			return check.Header{}, time.Time{}, fmt.Errorf("target %s: access token: %w", t.Name, err)
		}
		a.value, a.ends = value, now.Add(max(life, margin+time.Second))
	}
	return check.Header{Name: "authorization", Value: "Bearer " + a.value}, a.ends.Add(-margin), nil
}

func (s *Source) fetch(ctx context.Context, t *config.Target) (string, time.Duration, error) {
	o := t.Credentials.OAuth
	id, err := s.Secrets.Resolve(ctx, o.ClientID)
	if err != nil {
		return "", 0, err
	}
	secret, err := s.Secrets.Resolve(ctx, o.ClientSecret)
	if err != nil {
		return "", 0, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(o.Scopes) > 0 {
		form.Set("scope", strings.Join(o.Scopes, " "))
	}
	if o.Audience != "" {
		form.Set("audience", o.Audience)
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(id.Reveal()), url.QueryEscape(secret.Reveal()))
	client, err := clientOf(o)
	if err != nil {
		return "", 0, err
	}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	return readToken(res)
}

func readToken(res *http.Response) (string, time.Duration, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", 0, err
	}
	if res.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("the endpoint answers %s", res.Status)
	}
	var a struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if json.Unmarshal(body, &a) != nil || a.AccessToken == "" || !strings.EqualFold(a.TokenType, "bearer") {
		return "", 0, errors.New("the endpoint's answer has no bearer token")
	}
	life := defaultLife
	if a.ExpiresIn > 0 && a.ExpiresIn < 1<<31 {
		life = time.Duration(a.ExpiresIn) * time.Second
	}
	return a.AccessToken, life, usable(a.AccessToken, nil)
}

// clientOf follows no redirect: the secret goes to the configured endpoint only.
func clientOf(o *config.OAuth) (*http.Client, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.CA)
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Bounds of what an issuer may send us.
const (
	maxDocument  = 1 << 20 // bytes of a discovery document or key set
	fetchTimeout = 5 * time.Second
)

// NewClient returns a client for discovery and keys: no redirects (an issuer's
// documents are where it says), bounded bodies and times. CAs is a PEM bundle for
// the issuer's certificate; nil means the system's.
func NewClient(cas []byte) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cas != nil {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(cas) {
			return nil, errors.New("oidc: the CA file has no certificate in PEM form")
		}
	}
	return &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the issuer redirects, which is not followed")
		},
		Transport: bounded{&http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, MaxIdleConnsPerHost: 1,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true}},
	}, nil
}

// bounded cuts bodies that are too long; what is cut is no valid JSON.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxDocument), res.Body}
	}
	return res, err
}

// checkURL accepts https, and http on loopback when allowed.
func checkURL(raw string, allowHTTP bool) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("oidc: %q is not an issuer's URL", raw)
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && allowHTTP && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("oidc: %q: only https is accepted (http on loopback, when allow_http is set)", raw)
}

// fetch gets the issuer's key set document, by way of discovery unless its
// URL is configured.
func (k *keySet) fetch(ctx context.Context) ([]byte, error) {
	where := k.c.JWKSURL
	if where == "" {
		p, err := oidc.NewProvider(oidc.ClientContext(ctx, k.c.Client), k.c.Issuer)
		if err != nil {
			return nil, fmt.Errorf("discovery: %.300s", err.Error()) // it may quote the whole answer
		}
		var doc struct {
			JWKS string `json:"jwks_uri"`
		}
		if err := p.Claims(&doc); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		where = doc.JWKS
	}
	if err := checkURL(where, k.c.AllowHTTP); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.c.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", where, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxDocument))
}

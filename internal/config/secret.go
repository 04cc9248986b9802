package config

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
	"path/filepath"
	"strings"
	"time"
)

const (
	maxSecret     = 64 << 10 // bytes of a secret file or Vault answer
	secretTimeout = 10 * time.Second
)

// Secrets resolves references. It keeps nothing: each call reads anew, so that
// a rotated secret is used from the next session on.
type Secrets struct {
	vault Vault
}

// Secrets returns the resolver for this config.
func (c *Config) Secrets() *Secrets { return &Secrets{vault: c.Vault} }

// Resolve returns what r refers to. An empty Ref is an empty secret. Errors
// name the reference, never a value.
func (s *Secrets) Resolve(ctx context.Context, r Ref) (Secret, error) {
	_, rest, _ := strings.Cut(string(r), ":")
	switch r.scheme() {
	case "":
		return Secret{string(r)}, nil
	case "env":
		v, ok := os.LookupEnv(rest)
		if !ok {
			return Secret{}, fmt.Errorf("secret %s: the variable is not set", r)
		}
		return Secret{v}, nil
	case "file":
		return readSecret(r, rest)
	}
	v, err := s.readVault(ctx, rest)
	if err != nil {
		return Secret{}, fmt.Errorf("secret %s: %w", r, err)
	}
	return v, nil
}

func readSecret(r Ref, path string) (Secret, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return Secret{}, fmt.Errorf("secret %s: %w", r, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, fmt.Errorf("secret %s: %w", r, err)
	}
	if len(b) > maxSecret {
		return Secret{}, fmt.Errorf("secret %s: larger than %d bytes", r, maxSecret)
	}
	return Secret{strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")}, nil
}

// splitVault splits MOUNT/PATH#KEY.
func splitVault(ref string) (mount, path, key string, err error) {
	where, key, ok := strings.Cut(ref, "#")
	mount, path, ok2 := strings.Cut(where, "/")
	if !ok || !ok2 || mount == "" || path == "" || key == "" {
		return "", "", "", fmt.Errorf("%q is not vault:MOUNT/PATH#KEY", "vault:"+ref)
	}
	return mount, path, key, nil
}

// readVault reads one field by the KV version 2 HTTP API, which OpenBao and
// Vault share: GET /v1/MOUNT/data/PATH.
func (s *Secrets) readVault(ctx context.Context, ref string) (Secret, error) {
	mount, path, key, err := splitVault(ref)
	if err != nil {
		return Secret{}, err
	}
	token, err := s.Resolve(ctx, s.vault.Token)
	if err != nil {
		return Secret{}, err
	}
	client, err := s.vault.client()
	if err != nil {
		return Secret{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	u, err := url.JoinPath(s.vault.Address, "v1", mount, "data", path)
	if err != nil {
		return Secret{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return Secret{}, err
	}
	req.Header.Set("X-Vault-Token", token.Reveal())
	req.Header.Set("X-Vault-Request", "true")
	if s.vault.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", s.vault.Namespace)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Secret{}, err
	}
	defer resp.Body.Close()
	return readField(resp, key)
}

func readField(resp *http.Response, key string) (Secret, error) {
	if resp.StatusCode != http.StatusOK {
		return Secret{}, fmt.Errorf("vault answered %s", resp.Status)
	}
	var body struct {
		Data struct {
			Data map[string]any `json:"data"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSecret)).Decode(&body); err != nil {
		return Secret{}, errors.New("vault's answer cannot be read") // the cause may quote it
	}
	v, ok := body.Data.Data[key].(string)
	if !ok {
		return Secret{}, fmt.Errorf("the secret has no text field %q", key)
	}
	return Secret{v}, nil
}

// client follows no redirect, since it would carry the token along.
func (v *Vault) client() (*http.Client, error) {
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if v.CA != "" {
		pem, err := os.ReadFile(v.CA)
		if err != nil {
			return nil, err
		}
		tr.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !tr.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", v.CA)
		}
	}
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, nil
}

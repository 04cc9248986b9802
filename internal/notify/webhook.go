package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/export/ocsf"
)

// Headers of a webhook's requests.
const (
	// SignatureHeader is "v1=" and the hexadecimal HMAC-SHA-256 over the timestamp, a point and the body.
	SignatureHeader = "Dragoman-Signature"
	// TimestampHeader is when it was signed, in seconds since 1970.
	TimestampHeader = "Dragoman-Timestamp"
)

// minSecret is the shortest secret of a webhook, in bytes.
const minSecret = 20

// Webhook posts events as JSON: {"events": […]}.
type Webhook struct {
	Label  string // its name in the config
	URL    string
	OCSF   bool // events are OCSF's instead of ours
	Secret func(context.Context) (string, error)
	// Version is the product's, for OCSF.
	Version string
	HTTP    *http.Client
	Now     func() time.Time
}

// NewHTTPClient trusts ca (PEM) instead of the system's, if it is given. It follows no redirect: events go
// where the config says.
func NewHTTPClient(ca []byte) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("ca holds no certificate")
		}
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// Name implements Sink.
func (w *Webhook) Name() string { return "webhook:" + w.Label }

// Send implements Sink.
func (w *Webhook) Send(ctx context.Context, events []export.Event) error {
	body, err := w.body(events)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	secret, err := w.Secret(ctx)
	if err != nil {
		return err
	}
	if len(secret) < minSecret {
		return fmt.Errorf("the secret is shorter than %d characters", minSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(w.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(TimestampHeader, at)
	req.Header.Set(SignatureHeader, Sign(secret, at, body))
	resp, err := w.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: it answered %s", ErrRejected, resp.Status)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

func (w *Webhook) body(events []export.Event) ([]byte, error) {
	if !w.OCSF {
		return json.Marshal(map[string]any{"events": events})
	}
	all := make([]map[string]any, len(events))
	for i, e := range events {
		all[i] = ocsf.Event(e, w.Version)
	}
	return json.Marshal(map[string]any{"events": all})
}

// Sign is the value of SignatureHeader.
func Sign(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}

package kube

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

const (
	defaultConnect = 5 * time.Second
	// answerTime bounds the wait for a target's answer: it asks kubelet, which may start something.
	answerTime = 60 * time.Second
)

// targetError is a target's no, in its own words.
type targetError struct{ status *kube.Status }

func (e *targetError) Error() string { return "the target says: " + e.status.Message }

// connect reaches the target and has the request upgraded. Only the credentials of the session and what was judged
// go there, nothing else of the client's request.
func (t *Target) connect(ctx context.Context, s *kube.Stream, creds check.Credentials) (*channels, error) {
	timeout := t.Connect
	if timeout <= 0 {
		timeout = defaultConnect
	}
	var last error
	for _, addr := range t.Addresses {
		raw, err := t.dial(ctx, addr, timeout)
		if err != nil {
			last = fmt.Errorf("%s: %w", addr, err)
			continue
		}
		c, err := t.upgrade(ctx, raw, addr, s, creds)
		if err != nil {
			raw.Close()
			return nil, err // it has answered: another address would answer the same
		}
		return c, nil
	}
	return nil, last
}

func (t *Target) dial(ctx context.Context, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := net.Dialer{KeepAlive: time.Minute}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil || t.TLS == nil {
		return raw, err
	}
	cfg := t.TLS.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(addr)
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

func (t *Target) upgrade(ctx context.Context, raw net.Conn, addr string, s *kube.Stream, creds check.Credentials) (*channels, error) {
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(answerTime))
	key, host := websocket.NewKey(), t.Host
	if host == "" {
		host = addr
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+s.Path()+"?"+s.Query(), nil)
	if err != nil {
		return nil, err
	}
	for _, h := range creds.Headers {
		req.Header.Add(h.Name, h.Value)
	}
	req.Header.Set("User-Agent", "dragoman")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	req.Header.Set("Sec-WebSocket-Protocol", v5)
	if err := req.Write(raw); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(raw, websocket.Piece)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		defer res.Body.Close()
		return nil, answer(res)
	}
	if !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") || res.Header.Get("Sec-WebSocket-Accept") != websocket.Accept(key) ||
		res.Header.Get("Sec-WebSocket-Protocol") != v5 {
		return nil, errors.New("the target does not speak " + v5)
	}
	_ = raw.SetDeadline(time.Time{})
	return &channels{ws: websocket.New(raw, r, true), protocol: v5}, nil
}

// answer is what a target says in the place of an upgrade.
func answer(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxStatus))
	if err != nil {
		return err
	}
	st, err := kube.ParseStatus(bytes.TrimSpace(b))
	if err != nil || !st.Refuses() {
		return fmt.Errorf("the target answers %d", res.StatusCode)
	}
	st.Code = res.StatusCode
	if st.Code < 400 || st.Code == http.StatusUnauthorized { // that our own credentials are not good is not the client's affair
		return fmt.Errorf("the target answers %d: %s", res.StatusCode, st.Message)
	}
	return &targetError{st}
}

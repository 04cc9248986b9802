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
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
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

// How a target's streams are carried.
const (
	StreamsAuto      = "" // over WebSocket, and over SPDY where the target does not speak that
	StreamsWebSocket = "websocket"
	StreamsSPDY      = "spdy"
)

// errNotSpoken says that a target does not speak what it was asked in.
var errNotSpoken = errors.New("the target does not speak it")

// connect reaches the target and has the request upgraded. Only the credentials of the session and what was judged
// go there, nothing else of the client's request.
func (t *Target) connect(ctx context.Context, s *kube.Stream, creds check.Credentials) (side, error) {
	var c side
	try := func(carried func(context.Context, net.Conn, string, *kube.Stream, check.Credentials) (side, error)) error {
		return t.reach(ctx, func(raw net.Conn, addr string) (err error) {
			c, err = carried(ctx, raw, addr, s, creds)
			return err
		})
	}
	if t.Streams == StreamsSPDY {
		return c, try(t.overSPDY)
	}
	err := try(t.overWebSocket)
	if errors.Is(err, errNotSpoken) && t.Streams == StreamsAuto { // before 1.30
		err = try(t.overSPDY)
	}
	return c, err
}

// reach connects to the first address that can be reached, and has use speak to it.
func (t *Target) reach(ctx context.Context, use func(raw net.Conn, addr string) error) error {
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
		stop := context.AfterFunc(ctx, func() { raw.Close() })
		defer stop()
		_ = raw.SetDeadline(time.Now().Add(answerTime))
		if err := use(raw, addr); err != nil {
			raw.Close()
			return err // it has answered: another address would answer the same
		}
		return raw.SetDeadline(time.Time{})
	}
	return last
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

// ask sends a request for an upgrade; what comes behind the answer's head is in the reader.
func (t *Target) ask(ctx context.Context, raw net.Conn, addr, method string, s *kube.Stream, creds check.Credentials, fields map[string]string) (http.Header, *bufio.Reader, error) {
	host := t.Host
	if host == "" {
		host = addr
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+host+s.Path()+"?"+s.Query(), nil)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range creds.Headers {
		req.Header.Add(h.Name, h.Value)
	}
	req.Header.Set("User-Agent", "dragoman")
	req.Header.Set("Connection", "Upgrade")
	for name, value := range fields {
		req.Header.Set(name, value)
	}
	if err := req.Write(raw); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(raw, websocket.Piece)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		defer res.Body.Close()
		return nil, nil, answer(res)
	}
	if !strings.EqualFold(res.Header.Get("Upgrade"), fields["Upgrade"]) {
		return nil, nil, errNotSpoken
	}
	return res.Header, r, nil
}

func (t *Target) overWebSocket(ctx context.Context, raw net.Conn, addr string, s *kube.Stream, creds check.Credentials) (side, error) {
	key := websocket.NewKey()
	h, r, err := t.ask(ctx, raw, addr, http.MethodGet, s, creds, map[string]string{"Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": v5})
	if err != nil {
		return nil, err
	}
	if h.Get("Sec-WebSocket-Accept") != websocket.Accept(key) || h.Get("Sec-WebSocket-Protocol") != v5 {
		return nil, errNotSpoken
	}
	return &channels{ws: websocket.New(raw, r, true), protocol: v5}, nil
}

func (t *Target) overSPDY(ctx context.Context, raw net.Conn, addr string, s *kube.Stream, creds check.Credentials) (side, error) {
	h, r, err := t.ask(ctx, raw, addr, http.MethodPost, s, creds, map[string]string{"Upgrade": spdyUpgrade, spdyProtocol: v4})
	if err != nil {
		return nil, err
	}
	if h.Get(spdyProtocol) != v4 {
		return nil, errNotSpoken
	}
	return openStreams(raw, spdy.New(raw, r, true, maxStreams), s)
}

// answer is what a target says in the place of an upgrade.
func answer(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxStatus))
	if err != nil {
		return err
	}
	st, err := kube.ParseStatus(bytes.TrimSpace(b))
	if err != nil || !st.Refuses() {
		return fmt.Errorf("the target answers %d: %w", res.StatusCode, errNotSpoken)
	}
	st.Code = res.StatusCode
	if st.Code < 400 || st.Code == http.StatusUnauthorized { // that our own credentials are not good is not the client's affair
		return fmt.Errorf("the target answers %d: %s", res.StatusCode, st.Message)
	}
	return &targetError{st}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"dragoman.dev/dragoman/web/api"
)

// client speaks to the control plane over the admin socket.
type client struct {
	socket string
	as     string
	http   *http.Client
}

func (f *flags) client() (*client, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	socket := cfg.Admin.Socket
	return &client{socket: socket, as: f.as, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}}, nil
}

// do sends a request and returns the answer, which is a success; the caller closes its body.
func (c *client) do(ctx context.Context, method, path string, q url.Values, body any) (*http.Response, error) {
	var b io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		b = bytes.NewReader(raw)
	}
	u := url.URL{Scheme: "http", Host: "dragoman", Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), b)
	if err != nil {
		return nil, err
	}
	if c.as != "" {
		req.Header.Set(api.AsHeader, c.as)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op
		}
		return nil, fail(exitUnreachable, "the control plane does not answer on %s: %w; is `dragoman up` running with this config?", c.socket, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, refused(resp)
	}
	return resp, nil
}

// refused makes an error of an answer that is not a success.
func refused(resp *http.Response) error {
	var e struct {
		Error struct{ Code, Message string }
	}
	const most = 64 << 10
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&e); err != nil || e.Error.Message == "" {
		return fail(exitFailure, "the control plane answered %s", resp.Status)
	}
	code := map[string]int{"not_found": exitNotFound, "forbidden": exitDenied, "conflict": exitDenied, "invalid": exitUsage}[e.Error.Code]
	if code == 0 {
		code = exitFailure
	}
	_, words, ok := strings.Cut(e.Error.Message, ": ") // without the kind, which the code tells
	if !ok || code == exitFailure {
		words = e.Error.Message
	}
	return fail(code, "%s", words)
}

// get reads a JSON answer into v.
func (c *client) get(ctx context.Context, path string, q url.Values, v any) error {
	return c.call(ctx, http.MethodGet, path, q, nil, v)
}

func (c *client) post(ctx context.Context, path string, body, v any) error {
	return c.call(ctx, http.MethodPost, path, nil, body, v)
}

func (c *client) call(ctx context.Context, method, path string, q url.Values, body, v any) error {
	resp, err := c.do(ctx, method, path, q, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("the control plane's answer: %w", err)
	}
	return nil
}

// maxEvent bounds one line of a stream: a frame has up to 1 MiB of payload, and
// base64 and JSON around it.
const maxEvent = 16 << 20

// events reads a server-sent event stream until it ends; f gets each event's
// name and data, and ends it early with an error.
func (c *client) events(ctx context.Context, path string, q url.Values, f func(name string, data []byte) error) error {
	resp, err := c.do(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, maxEvent)
	name := ""
	for s.Scan() {
		line := s.Bytes()
		switch {
		case bytes.HasPrefix(line, []byte("event: ")):
			name = string(line[len("event: "):])
		case bytes.HasPrefix(line, []byte("data: ")):
			if err := f(name, line[len("data: "):]); err != nil {
				return err
			}
		}
	}
	if err := s.Err(); err != nil && ctx.Err() == nil {
		return fail(exitUnreachable, "the control plane ended the stream: %w", err)
	}
	return ctx.Err()
}

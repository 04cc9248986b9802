package envoy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Admin speaks to an Envoy's admin endpoint on a unix socket.
type Admin struct {
	client *http.Client
}

// NewAdmin does not connect yet; socket is a path.
func NewAdmin(socket string) *Admin {
	return &Admin{client: &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true, // the Envoy behind the path changes with a restart
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// maxAnswer bounds what is read of an answer: a config dump can be large.
const maxAnswer = 64 << 20

// Do sends one request and returns the body; a status other than 200 is an error
// that quotes it.
func (a *Admin) Do(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("envoy admin %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("envoy admin %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return body, fmt.Errorf("envoy admin %s: %s: %.200s", path, resp.Status, body)
	}
	return body, nil
}

// Live says that Envoy has its first config and serves.
func (a *Admin) Live(ctx context.Context) error {
	_, err := a.Do(ctx, http.MethodGet, "/ready")
	return err
}

// Listeners returns each active listener's address, host:port, by its name.
func (a *Admin) Listeners(ctx context.Context) (map[string]string, error) {
	body, err := a.Do(ctx, http.MethodGet, "/listeners?format=json")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Statuses []struct {
			Name         string `json:"name"`
			LocalAddress struct {
				SocketAddress struct {
					Address   string `json:"address"`
					PortValue int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("envoy admin /listeners: %w", err)
	}
	addrs := make(map[string]string, len(answer.Statuses))
	for _, s := range answer.Statuses {
		addrs[s.Name] = net.JoinHostPort(s.LocalAddress.SocketAddress.Address,
			fmt.Sprint(s.LocalAddress.SocketAddress.PortValue))
	}
	return addrs, nil
}

// Stats returns the value of the counters and gauges that filter (a regular
// expression) matches, by name.
func (a *Admin) Stats(ctx context.Context, filter string) (map[string]uint64, error) {
	body, err := a.Do(ctx, http.MethodGet, "/stats?filter="+url.QueryEscape(filter))
	if err != nil {
		return nil, err
	}
	stats := map[string]uint64{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		var n uint64
		if _, err := fmt.Sscanf(value, "%d", &n); ok && err == nil {
			stats[name] = n
		}
	}
	return stats, nil
}

// OpenSessions is the number of client connections of all listeners.
func (a *Admin) OpenSessions(ctx context.Context) (uint64, error) {
	stats, err := a.Stats(ctx, `^listener\..*\.downstream_cx_active$`)
	if err != nil {
		return 0, err
	}
	var n uint64
	for name, v := range stats {
		if !strings.HasPrefix(name, "listener.admin.") && !strings.Contains(name, ".worker_") {
			n += v
		}
	}
	return n, nil
}

// readyLook is the time between two looks for readiness.
const readyLook = 20 * time.Millisecond

// Ready waits until Envoy is live and the named listeners serve.
func (a *Admin) Ready(ctx context.Context, listeners ...string) error {
	for {
		err := a.ready(ctx, listeners)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("envoy is not ready: %w", ctx.Err()), err)
		case <-time.After(readyLook):
		}
	}
}

func (a *Admin) ready(ctx context.Context, listeners []string) error {
	if err := a.Live(ctx); err != nil {
		return err
	}
	addrs, err := a.Listeners(ctx)
	if err != nil {
		return err
	}
	for _, name := range listeners {
		if addrs[name] == "" {
			return fmt.Errorf("listener %q does not serve", name)
		}
	}
	return nil
}

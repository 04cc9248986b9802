package envoy

import (
	"context"
	"encoding/json"
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

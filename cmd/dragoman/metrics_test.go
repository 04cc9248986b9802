package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// socket reads a path of the API over the admin socket.
func (r *rig) socket(path string) string {
	r.t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, "data", "admin.sock"))
	}}}
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://dragoman" + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		r.t.Fatal(resp.Status, err, string(b))
	}
	return string(b)
}

// served are the names of all series, histograms' parts included.
func served(text string) map[string]bool {
	names := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if line != "" && line[0] != '#' {
			names[line[:strings.IndexAny(line, "{ ")]] = true
		}
	}
	return names
}

var (
	inBraces  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|"[^"]*"|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	metricish = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
)

// metricsOf are the names of the metrics in a PromQL expression.
func metricsOf(expr string) []string {
	var names []string
	for _, w := range metricish.FindAllString(inBraces.ReplaceAllString(expr, " "), -1) {
		switch w = strings.TrimSpace(w); {
		case strings.HasSuffix(w, "("), w == "and", w == "or", w == "unless", w == "bool", w == "by", w == "offset":
		default:
			names = append(names, w)
		}
	}
	return names
}

// TestDashboard: every metric that the dashboard asks for is one that /metrics or /metrics/envoy really serves.
func TestDashboard(t *testing.T) {
	r, port := one(t)
	r.up()
	c, err := r.connect(port, r.token("readers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"SELECT 1", "DROP TABLE nothing"} {
		_, _ = c.Exec(t.Context(), q)
	}
	var control, envoy string
	r.eventually("the statements are counted", func() bool {
		control = r.socket("/metrics")
		return regexp.MustCompile(`dragoman_actions_total\{result="ok",target="[a-z]+",verdict="allow"\} [1-9]`).MatchString(control) &&
			regexp.MustCompile(`verdict="block"\} [1-9]`).MatchString(control)
	})
	envoy = r.socket("/metrics/envoy")
	names := served(control)
	for n := range served(envoy) {
		if names[n] {
			t.Errorf("%s is served twice", n)
		}
		names[n] = true
	}
	b, err := os.ReadFile("../../docs/grafana/dragoman.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			for _, n := range metricsOf(q.Expr) {
				asked++
				if !names[n] {
					t.Errorf("%s: %s is not served (%s)", p.Title, n, q.Expr)
				}
			}
		}
	}
	if asked < 20 {
		t.Error("only", asked)
	}
	// docs/telemetry.md names all of ours.
	docs, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	for n := range served(control) {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(n, "")
		if strings.HasPrefix(n, "dragoman_") && !strings.Contains(string(docs), "`"+base+"`") {
			t.Errorf("%s is not in docs/telemetry.md", base)
		}
	}
	if t.Failed() {
		t.Log(control, envoy)
	}
}

func TestMetricsOf(t *testing.T) {
	for expr, want := range map[string]string{
		`sum by (target) (rate(a_total{x="y_z"}[5m]))`:                                   "a_total",
		`histogram_quantile(0.95, sum by (le) (rate(b_bucket[$__rate_interval]))) / c_d`: "b_bucket c_d",
		`max(e) and on (node) f > 1`:                                                     "e f",
	} {
		if got := strings.Join(metricsOf(expr), " "); got != want {
			t.Errorf("%s: %s", expr, got)
		}
	}
}

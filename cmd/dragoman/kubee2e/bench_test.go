//go:build kube

package kubee2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// The benchmarks compare the API server itself with the gateway before it, in turns within one run, so that what else the
// machine does falls on both: go test -tags kube -run '^$' -bench . ./cmd/dragoman/kubee2e

// both are the two ways, with clients that have no limit of their own.
func both(b *testing.B) (direct, through *rest.Config) {
	b.Helper()
	token, err := shared.Output("token", "create", "--subject", "agent:ci-bot", "--ttl", "1h", "--group", "ops")
	if err != nil {
		b.Fatal(err)
	}
	pki := filepath.Join(shared.cluster.Dir, "pki")
	direct = &rest.Config{Host: shared.cluster.Server, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: shared.cluster.CAFile,
		CertFile: pki + "/admin.crt", KeyFile: pki + "/admin.key"}}
	through = &rest.Config{Host: shared.url(), QPS: -1, BearerToken: strings.TrimSpace(token), TLSClientConfig: rest.TLSClientConfig{CAFile: shared.cluster.CAFile}}
	return direct, through
}

// cpu is what Envoy and dragoman have used so far.
func (r *rig) cpu() (all time.Duration) {
	for _, pid := range []int{r.Process().PID(), proc.Child(r.Process().PID(), "envoy")} {
		if used, err := proc.CPU(pid); err == nil {
			all += used
		}
	}
	return all
}

// figures are the lines of the table, by what was measured.
var figures []string

// told reports medians, their ratio, and the gateway's CPU for each; events are how many an operation is of.
func told(b *testing.B, what string, events int, direct, through []time.Duration, cpu time.Duration) {
	slices.Sort(direct)
	slices.Sort(through)
	d, g := direct[len(direct)/2], through[len(through)/2]
	each := cpu / time.Duration(len(through)*events)
	b.ReportMetric(float64(d.Microseconds()), "direct-µs")
	b.ReportMetric(float64(g.Microseconds()), "through-µs")
	b.ReportMetric(float64(g-d)/float64(time.Microsecond), "added-µs")
	b.ReportMetric(float64(each.Nanoseconds())/1000, "cpu-µs/op")
	shown := func(t time.Duration) string {
		out := fmt.Sprintf("%.1f ms", float64(t.Microseconds())/1000)
		if events > 1 {
			out += fmt.Sprintf(" (%.0f/s)", float64(events)/t.Seconds())
		}
		return out
	}
	figures = append(figures, fmt.Sprintf("| %s | %s | %s | %.2f | %.2f ms |", what, shown(d), shown(g), g.Seconds()/d.Seconds(), float64(each.Nanoseconds())/1e6))
}

// writeFigures puts the table into the page that DRAGOMAN_BENCH_DOC names.
func writeFigures() error {
	path := os.Getenv("DRAGOMAN_BENCH_DOC")
	if path == "" || len(figures) == 0 {
		return nil
	}
	load, _ := os.ReadFile("/proc/loadavg")
	text := fmt.Sprintf("%s, %d CPUs, load %s at the end; medians of turns.\n\n| what | direct | through the gateway | ratio | CPU of Envoy and dragoman for each |\n| --- | ---: | ---: | ---: | ---: |\n%s",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), strings.Join(strings.Fields(string(load))[:1], ""), strings.Join(figures, "\n"))
	return report.WriteMarked(path, "kube", text)
}

func timed(b *testing.B, f func() error) time.Duration {
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkGet gets one pod; BenchmarkList lists what the cluster has.
func BenchmarkGet(b *testing.B) {
	calls(b, "get a pod", func(c *typed.CoreV1Client) error {
		_, err := c.Pods("default").Get(context.Background(), "shell", meta.GetOptions{})
		return err
	})
}

func BenchmarkList(b *testing.B) {
	calls(b, "list all pods", func(c *typed.CoreV1Client) error {
		_, err := c.Pods("").List(context.Background(), meta.ListOptions{})
		return err
	})
}

// BenchmarkCreateDelete makes a config map and deletes it: two calls.
func BenchmarkCreateDelete(b *testing.B) {
	n := 0
	calls(b, "create a config map and delete it", func(c *typed.CoreV1Client) error {
		n++
		m := &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "bench-" + strconv.Itoa(n)}, Data: map[string]string{"a": "b"}}
		if _, err := c.ConfigMaps("default").Create(context.Background(), m, meta.CreateOptions{}); err != nil {
			return err
		}
		return c.ConfigMaps("default").Delete(context.Background(), m.Name, meta.DeleteOptions{})
	})
}

func calls(b *testing.B, what string, call func(*typed.CoreV1Client) error) {
	direct, through := both(b)
	d, err := typed.NewForConfig(direct)
	if err != nil {
		b.Fatal(err)
	}
	g, err := typed.NewForConfig(through)
	if err != nil {
		b.Fatal(err)
	}
	var ds, gs []time.Duration
	before := shared.cpu()
	for b.Loop() {
		ds = append(ds, timed(b, func() error { return call(d) }))
		gs = append(gs, timed(b, func() error { return call(g) }))
	}
	told(b, what, 1, ds, gs, shared.cpu()-before)
}

// BenchmarkWatch follows a thousand changes of a secret that the API server knows already, each an event that is masked and recorded.
func BenchmarkWatch(b *testing.B) {
	const events = 1000
	direct, through := both(b)
	ctx := context.Background()
	clients := make([]*typed.CoreV1Client, 2)
	for i, c := range []*rest.Config{direct, through} {
		var err error
		if clients[i], err = typed.NewForConfig(c); err != nil {
			b.Fatal(err)
		}
	}
	secrets := clients[0].Secrets("default")
	first, err := secrets.Create(ctx, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: "bench-watch"}, Data: map[string][]byte{"a": []byte("some text that is a secret")}}, meta.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer secrets.Delete(ctx, first.Name, meta.DeleteOptions{})
	for n := range events {
		if _, err := secrets.Patch(ctx, first.Name, types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":%q}}`, base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(n)))), meta.PatchOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	follow := func(c *typed.CoreV1Client) error {
		w, err := c.Secrets("default").Watch(ctx, meta.ListOptions{ResourceVersion: first.ResourceVersion})
		if err != nil {
			return err
		}
		defer w.Stop()
		for range events {
			if e := <-w.ResultChan(); e.Type != watch.Modified {
				return fmt.Errorf("%s: %v", e.Type, e.Object)
			}
		}
		return nil
	}
	var ds, gs []time.Duration
	before := shared.cpu()
	for b.Loop() {
		ds = append(ds, timed(b, func() error { return follow(clients[0]) }))
		gs = append(gs, timed(b, func() error { return follow(clients[1]) }))
	}
	told(b, "watch, 1,000 events of a secret (CPU for one)", events, ds, gs, shared.cpu()-before)
}

// BenchmarkExec runs a command that does nothing; BenchmarkExecOutput gets 32 MiB of one.
func BenchmarkExec(b *testing.B) { runs(b, "exec `true` over WebSocket", "true") }

func BenchmarkExecOutput(b *testing.B) {
	runs(b, "exec, 32 MiB of output", "dd", "if=/dev/zero", "bs=1048576", "count="+strconv.Itoa(output32>>20))
	b.SetBytes(2 * output32)
}

const output32 = 32 << 20

func runs(b *testing.B, what string, command ...string) {
	direct, through := both(b)
	executor := func(c *rest.Config) func() error {
		client, err := typed.NewForConfig(c)
		if err != nil {
			b.Fatal(err)
		}
		at := client.RESTClient().Get().Resource("pods").Namespace("default").Name("shell").SubResource("exec").Param("stdout", "true")
		for _, w := range command {
			at.Param("command", w)
		}
		return func() error {
			e, err := remotecommand.NewWebSocketExecutor(c, http.MethodGet, at.URL().String())
			if err != nil {
				return err
			}
			return e.StreamWithContext(context.Background(), remotecommand.StreamOptions{Stdout: io.Discard})
		}
	}
	d, g := executor(direct), executor(through)
	var ds, gs []time.Duration
	before := shared.cpu()
	for b.Loop() {
		ds, gs = append(ds, timed(b, d)), append(gs, timed(b, g))
	}
	told(b, what, 1, ds, gs, shared.cpu()-before)
}

package envoy

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

func goldenOptions() map[string]BootstrapOptions {
	return map[string]BootstrapOptions{
		"local": {Node: "gateway", ADS: "unix:///run/dragoman/ads.sock", AdminSocket: "/run/dragoman/admin.sock"},
		"mesh": {Node: "spiffe://example.org/sidecar/7", Cluster: "sidecars", ADS: "dragoman.example.org:18000",
			TLS:         TLSFiles{CA: "/etc/dragoman/ca.pem", Cert: "/etc/dragoman/cert.pem", Key: "/etc/dragoman/key.pem", Server: "spiffe://example.org/dragoman"},
			AdminSocket: "/run/dragoman/admin.sock", MaxConnections: 500, MaxHeap: 1 << 30},
	}
}

func TestBootstrapGolden(t *testing.T) {
	for name, o := range goldenOptions() {
		b, err := Bootstrap(o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := MarshalBootstrap(b)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: is not what is in %s:\n%s", name, path, got)
		}
	}
}

// Every Envoy that we know takes the golden bootstraps.
func TestBootstrapIsValid(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	for _, f := range []string{"ca.pem", "cert.pem", "key.pem"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(testPEM(f)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, o := range goldenOptions() {
		if o.TLS.CA != "" {
			o.TLS.CA, o.TLS.Cert, o.TLS.Key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		}
		o.AdminSocket = filepath.Join(dir, "a.sock")
		b, err := Bootstrap(o)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := MarshalBootstrap(b)
		if err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(dir, name+".json")
		if err := os.WriteFile(config, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, r := range Releases() {
			binary, err := Ensure(ctx, filepath.Join("..", ".tools"), r.Version)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(ctx, binary, "--mode", "validate", "--config-path", config).CombinedOutput(); err != nil {
				t.Errorf("envoy %s refuses %s: %v\n%s", r.Version, name, err, out)
			}
		}
	}
}

func TestBootstrapRefuses(t *testing.T) {
	good := goldenOptions()["mesh"]
	for what, spoil := range map[string]func(*BootstrapOptions){
		"no node":             func(o *BootstrapOptions) { o.Node = "" },
		"no ADS":              func(o *BootstrapOptions) { o.ADS = "" },
		"no admin socket":     func(o *BootstrapOptions) { o.AdminSocket = "" },
		"clear text over TCP": func(o *BootstrapOptions) { o.TLS = TLSFiles{} },
		"no client key":       func(o *BootstrapOptions) { o.TLS.Key = "" },
		"no port":             func(o *BootstrapOptions) { o.ADS = "host" },
		"no number":           func(o *BootstrapOptions) { o.ADS = "host:http" },
	} {
		o := good
		spoil(&o)
		if _, err := Bootstrap(o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{min: 100 * time.Millisecond, max: time.Second, stable: time.Minute}
	for i, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if got := b.next(time.Second); got != want*time.Millisecond {
			t.Errorf("%d: got %v, want %v", i, got, want*time.Millisecond)
		}
	}
	if got := b.next(time.Minute); got != 100*time.Millisecond {
		t.Errorf("after a stable life: %v", got)
	}
}

func TestFoldLog(t *testing.T) {
	in := strings.Join([]string{
		`{"level":"warning","logger":"main","source":"x.cc:1","message":"a \"quoted\" one"}`,
		`{"level":"error","logger":"dynamic_modules","source":"x.cc:1","message":"{\"level\":\"ERROR\",\"msg\":\"panic in a filter\",\"session\":\"s1\"}"}`,
		`{"level":"info","logger":"dynamic_modules","source":"x.cc:1","message":"{not JSON"}`,
		`{"level":"debug","logger":"main","source":"x.cc:1","message":"not wanted"}`,
		`fatal error: all goroutines are asleep`,
		strings.Repeat("long", maxLine),
		`{"level":"info","logger":"main","source":"x.cc:1","message":"last"}`,
	}, "\n")
	var out strings.Builder
	foldLog(strings.NewReader(in), slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`{"level":"WARN","msg":"a \"quoted\" one","logger":"main"}`,
		`{"level":"ERROR","msg":"panic in a filter","session":"s1","logger":"filter"}`,
		`{"level":"INFO","msg":"{not JSON","logger":"dynamic_modules"}`,
		`{"level":"ERROR","msg":"fatal error: all goroutines are asleep","logger":"stderr"}`,
		"",
		`{"level":"INFO","msg":"last","logger":"main"}`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%.500s", len(lines), out.String())
	}
	for i, w := range want {
		if w != "" && lines[i] != w {
			t.Errorf("line %d is %.200s\nwant %s", i, lines[i], w)
		}
	}
	if len(lines[4]) > maxLine+200 {
		t.Errorf("a line of %d bytes was kept", len(lines[4]))
	}
}

func TestEnsure(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	paths := make([]string, 3)
	for i := range paths {
		wg.Go(func() {
			path, err := Ensure(ctx, dir, "1.38.3")
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	wg.Wait()
	out, err := exec.CommandContext(ctx, paths[0], "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1.38.3") {
		t.Errorf("%v: %s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "envoy-1.38.3", ".fetch-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Ensure(ctx, dir, "1.2.3"); err == nil {
		t.Error("an unknown release was got")
	}
}

func TestFetchRefusesAnotherHash(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	r := Release{Version: "1.38.3", SHA256: strings.Repeat("0", 64)}
	if err := fetch(ctx, r, dir, filepath.Join(dir, "envoy")); err == nil || !strings.Contains(err.Error(), "HASH") && !strings.Contains(err.Error(), "hash") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "envoy")); err == nil {
		t.Error("the binary is there all the same")
	}
}

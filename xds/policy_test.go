package xds

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/policy"
)

const allowAll = "- name: %s\n  verdict: allow\n  when: {verbs: [select]}\n"

func rules(name string) string { return strings.Replace(allowAll, "%s", name, 1) }

// watched is a policy folder under watch and what was pushed from it.
type watched struct {
	t      *testing.T
	dir    string
	policy *Policy
	pushed chan string
	fail   error
}

func watchFolder(t *testing.T) *watched {
	w := &watched{t: t, dir: t.TempDir(), pushed: make(chan string, 16)}
	w.write("rules.yaml", rules("first"))
	w.policy = NewPolicy(PolicyOptions{Source: policy.Source{Dir: w.dir}, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Push: func(_ context.Context, b policy.Bundle, e *policy.Engine) error {
			if e.Revision() != b.Revision {
				t.Error("engine and bundle differ")
			}
			w.pushed <- b.Revision
			return w.fail
		}})
	if err := w.policy.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.next()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.policy.Watch(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	time.Sleep(2 * debounce) // the load at the start of Watch
	return w
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) next() string {
	w.t.Helper()
	select {
	case r := <-w.pushed:
		return r
	case <-time.After(60 * time.Second):
		w.t.Fatal("no push; status", w.policy.Status())
		return ""
	}
}

func (w *watched) quiet() {
	w.t.Helper()
	select {
	case <-w.pushed:
		w.t.Fatal("unexpected push")
	case <-time.After(4 * debounce):
	}
}

func TestWatch(t *testing.T) {
	w := watchFolder(t)
	began := time.Now()
	w.write("rules.yaml", rules("second"))
	rev := w.next()
	t.Logf("file change to push: %s", time.Since(began))
	w.write("rules.yaml", rules("second")) // the same content
	w.quiet()
	if w.policy.Status().Revision != rev {
		t.Error("status has another revision")
	}

	// As editors do it: write beside, then rename over.
	w.write("rules.yaml.tmp", rules("third"))
	if err := os.Rename(filepath.Join(w.dir, "rules.yaml.tmp"), filepath.Join(w.dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	w.next()

	// Several writes at once are one push.
	for range 5 {
		w.write("rules.yaml", rules("fourth"))
	}
	w.next()
	w.quiet()
}

func TestBrokenPolicyIsNotPushed(t *testing.T) {
	w := watchFolder(t)
	good := w.policy.Status().Revision
	w.write("extra.rego", "package dragoman.user\n\nthis is no rego\n")
	w.quiet()
	st := w.policy.Status()
	if st.Revision != good || !strings.Contains(st.Error, "extra.rego:3") {
		t.Fatalf("%+v", st)
	}
	if err := os.Remove(filepath.Join(w.dir, "extra.rego")); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for w.policy.Status().Error != "" && time.Now().Before(deadline) {
		time.Sleep(debounce)
	}
	if st := w.policy.Status(); st.Error != "" || st.Revision != good {
		t.Fatalf("%+v", st)
	}
	w.quiet()
}

func TestFailedPushIsNotInForce(t *testing.T) {
	w := watchFolder(t)
	good := w.policy.Status().Revision
	w.fail = errors.New("no")
	w.write("rules.yaml", rules("second"))
	w.next()
	time.Sleep(2 * debounce)
	if st := w.policy.Status(); st.Revision != good || st.Error == "" {
		t.Fatalf("%+v", st)
	}
}

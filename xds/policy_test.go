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
	w.write("rules.yaml", rules("rule-1"))
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

// write puts a text in the place of one as long by one system call: no load, however late, sees half of it.
func (w *watched) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > 0 && info.Size() != int64(len(text)) {
		w.t.Fatal("another length", err)
	}
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
}

// status waits until the policy has an error, or none.
func (w *watched) status(fails bool) PolicyStatus {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); (w.policy.Status().Error != "") != fails; time.Sleep(debounce) {
		if time.Now().After(end) {
			w.t.Fatal("never; status", w.policy.Status())
		}
	}
	return w.policy.Status()
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
	w.write("rules.yaml", rules("rule-2"))
	rev := w.next()
	t.Logf("file change to push: %s", time.Since(began))
	w.write("rules.yaml", rules("rule-2")) // the same content
	w.quiet()
	if w.policy.Status().Revision != rev {
		t.Error("status has another revision")
	}

	// As editors do it: write beside, then rename over.
	w.write("rules.yaml.tmp", rules("rule-3"))
	if err := os.Rename(filepath.Join(w.dir, "rules.yaml.tmp"), filepath.Join(w.dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	w.next()

	// Several writes at once are one push.
	for range 5 {
		w.write("rules.yaml", rules("rule-4"))
	}
	w.next()
	w.quiet()
}

func TestBrokenPolicyIsNotPushed(t *testing.T) {
	w := watchFolder(t)
	good := w.policy.Status().Revision
	w.write("extra.rego", "package dragoman.user\n\nthis is no rego\n")
	w.status(true) // it may have been read while it was empty
	w.quiet()
	st := w.policy.Status()
	if st.Revision != good || !strings.Contains(st.Error, "extra.rego:3") {
		t.Fatalf("%+v", st)
	}
	if err := os.Remove(filepath.Join(w.dir, "extra.rego")); err != nil {
		t.Fatal(err)
	}
	if st := w.status(false); st.Revision != good {
		t.Fatalf("%+v", st)
	}
	w.quiet()
}

func TestFailedPushIsNotInForce(t *testing.T) {
	w := watchFolder(t)
	good := w.policy.Status().Revision
	w.fail = errors.New("no")
	w.write("rules.yaml", rules("rule-2"))
	w.next()
	if st := w.status(true); st.Revision != good {
		t.Fatalf("%+v", st)
	}
}

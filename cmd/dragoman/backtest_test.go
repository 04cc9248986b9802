package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/policy"
)

func backtested(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), append([]string{"policy", "backtest"}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestPolicyBacktest(t *testing.T) {
	const rules = "../../internal/backtest/testdata/"
	bundle, err := policy.Source{Dir: rules + "old"}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.Compile(t.Context(), bundle, policy.WithBudget(backtestBudget))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// Half of the sessions are older than a week.
	made := backtesttest.Made{Seed: 1, Sessions: 20, Actions: 20, Start: time.Now().AddDate(0, 0, -14).Add(-time.Hour), Every: 14 * 24 * time.Hour / 20}
	if err := backtesttest.Write(t.Context(), dir, made.History(engine)...); err != nil {
		t.Fatal(err)
	}
	var rep backtest.Report
	code, out, errs := backtested(t, "--policy", rules+"new", "--dir", dir, "--since", "7d", "--json")
	if err := json.Unmarshal([]byte(out), &rep); err != nil || code != exitOK {
		t.Fatal(code, err, errs)
	}
	if rep.Sessions != 9 || rep.Actions != 9*21 || rep.Change(backtest.NewlyAllowed).Count == 0 {
		t.Errorf("%+v", rep)
	}
	code, out, _ = backtested(t, "--policy", rules+"new", "--dir", dir)
	if code != exitOK || !strings.Contains(out, "420 actions of 20 sessions") || !strings.Contains(out, "NEWLY ALLOWED") {
		t.Error(code, out)
	}
	for _, c := range []struct {
		code int
		args string
	}{
		{exitBacktest, "--policy " + rules + "new --fail-on newly-blocked,unmasked"},
		{exitOK, "--policy " + rules + "old --fail-on newly-allowed,unmasked"},
		{exitUsage, "--policy " + rules + "old --fail-on everything"},
		{exitUsage, "--policy " + rules + "old --since yesterday"},
		{exitUsage, "extra"},
		{exitFailure, "--policy " + filepath.Join(dir, "nowhere")},
	} {
		if code, out, errs := backtested(t, append(strings.Fields(c.args), "--dir", dir)...); code != c.code {
			t.Errorf("%s: exit %d, not %d\n%s%s", c.args, code, c.code, out, errs)
		}
	}
	// What could not be read may have been anything.
	files, err := filepath.Glob(filepath.Join(dir, "sessions/*/*/*/*.drs"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("no record"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := backtested(t, "--policy", rules+"old", "--dir", dir, "--fail-on", "newly-allowed"); code != exitFailure {
		t.Errorf("with an unreadable record: exit %d", code)
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{"7d": now.AddDate(0, 0, -7), "2w": now.AddDate(0, 0, -14), "90m": now.Add(-90 * time.Minute), "": {}} {
		if got, err := ago(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s %v", in, got, err)
		}
	}
	for _, in := range []string{"d", "-3d", "7x", "1e3d"} {
		if got, err := ago(in, now); err == nil {
			t.Errorf("%q: %s", in, got)
		}
	}
}

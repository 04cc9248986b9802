package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCompare(t *testing.T) {
	line := known["temp.out"]
	for _, c := range []struct {
		name, direct, through string
		same                  bool
	}{
		{"a.out", "x\n", "x\n", true},
		{"a.out", "x\n", "y\n", false},
		{"a.out", line, "", false},
		{"a.out", "server process PID 12 ", "server process PID 34 ", true},
		{"temp.out", line + "a\n" + line + "b\n", line + "a\nb\n", true},
		{"temp.out", line + "a\n" + line + "b\n", "a\n" + line + "b\n", false},
		{"temp.out", line + "a\n", "c\n", false},
	} {
		dir := t.TempDir()
		for way, text := range map[string]string{"direct": c.direct, "gateway": c.through} {
			results := filepath.Join(dir, way, "out", "results")
			if err := os.MkdirAll(results, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(results, c.name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := compare(filepath.Join(dir, "direct"), filepath.Join(dir, "gateway")); (err == nil) != c.same {
			t.Errorf("%s %q %q: %v", c.name, c.direct, c.through, err)
		}
	}
	if compare(t.TempDir(), t.TempDir()) == nil {
		t.Error("no script ran, and that was taken for success")
	}
}

// Package httpsuites runs other people's suites for servers of HTTP/2 (h2spec) and WebSocket (the cases of
// Autobahn's test suite). It gets them, pinned, runs them and says how each case went; what that should have been
// is left to those who compare. The gateway itself does not use it.
package httpsuites

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/pinned"
)

//go:embed pins
var pins embed.FS

// Results say of each case, by its name, how it went.
type Results map[string]string

// Ensure builds h2spec and fetches Autobahn's cases below tools, once, and gives the folder of the cases.
func Ensure(ctx context.Context, tools string) (string, error) {
	if _, err := ensureH2Spec(ctx, tools); err != nil {
		return "", err
	}
	return ensureAutobahn(ctx, tools)
}

func ensureH2Spec(ctx context.Context, tools string) (bin string, err error) {
	home, err := folder(tools, "h2spec", map[string]string{"h2spec.mod": "go.mod", "h2spec.sum": "go.sum"}, func(home string) error {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", "h2spec", "github.com/summerwind/h2spec/cmd/h2spec")
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		return run(cmd)
	})
	if err != nil {
		return "", fmt.Errorf("httpsuites: h2spec: %w", err)
	}
	return filepath.Join(home, "h2spec"), nil
}

func ensureAutobahn(ctx context.Context, tools string) (home string, err error) {
	home, err = folder(tools, "autobahn", map[string]string{"autobahn-requirements.txt": "requirements.txt", "autobahn.py": "autobahn.py"},
		func(home string) error { return pinned.Pip(ctx, home, "requirements.txt", ".") })
	if err != nil {
		return "", fmt.Errorf("httpsuites: Autobahn's cases: %w", err)
	}
	return home, nil
}

// folder is pinned.Folder with files of pins, by the names that they have here and there.
func folder(tools, name string, names map[string]string, fetch func(home string) error) (string, error) {
	files := map[string][]byte{}
	for from, to := range names {
		b, err := pins.ReadFile("pins/" + from)
		if err != nil {
			return "", err
		}
		files[to] = b
	}
	return pinned.Folder(tools, name, files, fetch)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

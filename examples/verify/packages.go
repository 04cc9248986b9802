// Package verify is an example: an independent verifier of audit stores, in Python,
// written from the format's pages. The Go code here only fetches the packages that it needs.
package verify

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"dragoman.dev/dragoman/internal/pinned"
)

//go:embed requirements.txt
var requirements []byte

// Packages returns a folder for PYTHONPATH below dir with the pinned packages; what is there already is not fetched again.
func Packages(ctx context.Context, dir string) (string, error) {
	version, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("verify: python3: %w", err)
	}
	base, err := filepath.Abs(filepath.Join(dir, "verify"))
	if err != nil {
		return "", err
	}
	unlock, err := pinned.Lock(filepath.Join(base, ".lock"))
	if err != nil {
		return "", fmt.Errorf("verify: %w", err)
	}
	defer unlock()
	sum := sha256.Sum256(append(version, requirements...))
	home := filepath.Join(base, hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	return home, install(ctx, base, home)
}

func install(ctx context.Context, base, home string) error {
	tmp, err := os.MkdirTemp(base, ".new-*")
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer os.RemoveAll(tmp)
	pins := filepath.Join(tmp, "requirements.txt")
	if err := os.WriteFile(pins, requirements, 0o644); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := pinned.Pip(ctx, tmp, pins, "lib"); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return os.Rename(filepath.Join(tmp, "lib"), home)
}

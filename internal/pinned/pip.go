package pinned

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Pip installs what a requirements file in dir pins by hash, wheels only, into dir/target.
func Pip(ctx context.Context, dir, requirements, target string) error {
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", requirements, "--target", target)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pip: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

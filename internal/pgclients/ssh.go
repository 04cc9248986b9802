package pgclients

import (
	"context"

	"dragoman.dev/dragoman/internal/pinned"
)

// SSHPython returns a folder for PYTHONPATH with paramiko and asyncssh.
func SSHPython(ctx context.Context, dir string) (string, error) {
	return ensure(dir, "ssh-python", "", func(home string) error {
		return pinned.Pip(ctx, home, "ssh-requirements.txt", ".")
	}, "ssh-requirements.txt")
}

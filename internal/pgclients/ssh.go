package pgclients

import "context"

// SSHPython returns a folder for PYTHONPATH with paramiko and asyncssh.
func SSHPython(ctx context.Context, dir string) (string, error) {
	return ensure(dir, "ssh-python", "", func(home string) error {
		return command(ctx, home, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
			"--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", "ssh-requirements.txt", "--target", ".")
	}, "ssh-requirements.txt")
}

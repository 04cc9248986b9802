package pgclients

import (
	"context"
	"path/filepath"

	"dragoman.dev/dragoman/internal/pinned"
)

// SSHPython returns a folder for PYTHONPATH with paramiko and asyncssh.
func SSHPython(ctx context.Context, dir string) (string, error) {
	return ensure(dir, "ssh-python", "", func(home string) error {
		return pinned.Pip(ctx, home, "ssh-requirements.txt", ".")
	}, "ssh-requirements.txt")
}

// JSch, the maintained fork, and the SHA-256 of its jar.
const (
	jschArtifact = "com.github.mwiede:jsch:2.27.7"
	jschJar      = "jsch-2.27.7.jar"
	jschSHA256   = "dc9c937a9f56eb9e4028c56ff70a879eeb745de4d879e242e6a4d3cc386532be"
)

// JSch returns the path of the library's jar.
func JSch(ctx context.Context, dir string) (string, error) {
	home, err := ensure(dir, "jsch", jschArtifact+jschSHA256, func(home string) error {
		if err := command(ctx, home, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+jschArtifact, "-DoutputDirectory=."); err != nil {
			return err
		}
		return pinned.CheckSHA256(filepath.Join(home, jschJar), jschSHA256)
	})
	return filepath.Join(home, jschJar), err
}

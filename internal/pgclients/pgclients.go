// Package pgclients fetches the PostgreSQL client libraries that the
// end-to-end tests run: for Python, Node.js and Java, and pgbench. Versions and
// hashes are in pins/; what is fetched is kept in one folder and not fetched
// again while the pins stay the same. The gateway itself does not use it.
package pgclients

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/pinned"
)

//go:embed pins
var pins embed.FS

// Python returns a folder for PYTHONPATH with psycopg 3 and asyncpg.
func Python(ctx context.Context, dir string) (string, error) {
	version, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("pgclients: python3: %w", err)
	}
	return ensure(dir, "python", string(version), func(home string) error {
		return pinned.Pip(ctx, home, "requirements.txt", ".")
	}, "requirements.txt")
}

// Node returns a folder for NODE_PATH with pg, pg-cursor and pg-copy-streams.
func Node(ctx context.Context, dir string) (string, error) {
	home, err := ensure(dir, "node", "", func(home string) error {
		return command(ctx, home, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	}, "package.json", "package-lock.json")
	return filepath.Join(home, "node_modules"), err
}

// The PostgreSQL JDBC driver and the SHA-256 of its jar.
const (
	jdbcArtifact = "org.postgresql:postgresql:42.7.8"
	jdbcJar      = "postgresql-42.7.8.jar"
	jdbcSHA256   = "2a32a9dcbc42d67a50ad3a0de5efd102c8d2be46720045f2cbd6689f160ab7c7"
)

// JDBC returns the path of the driver's jar.
func JDBC(ctx context.Context, dir string) (string, error) {
	home, err := ensure(dir, "java", jdbcArtifact+jdbcSHA256, func(home string) error {
		if err := command(ctx, home, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+jdbcArtifact, "-DoutputDirectory=."); err != nil {
			return err
		}
		return pinned.CheckSHA256(filepath.Join(home, jdbcJar), jdbcSHA256)
	})
	return filepath.Join(home, jdbcJar), err
}

// Pgbench returns the path of the machine's pgbench; where there is none, the
// one out of the distribution's server package, which is not installed.
func Pgbench(ctx context.Context, dir string) (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	const inPackage = "usr/lib/postgresql/*/bin/pgbench"
	if found, _ := filepath.Glob("/" + inPackage); len(found) > 0 {
		return found[len(found)-1], nil
	}
	home, err := ensure(dir, "pgbench", "", func(home string) error {
		return command(ctx, home, "sh", "-ec", `apt-get update -qq
name=$(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
apt-get download -qq "$name"
dpkg-deb -x "$name"_*.deb .
rm ./*.deb`)
	})
	if err != nil {
		return "", err
	}
	found, _ := filepath.Glob(filepath.Join(home, inPackage))
	if len(found) == 0 {
		return "", errors.New("pgclients: the distribution's postgresql package has no pgbench")
	}
	return found[0], nil
}

// ensure returns dir/clients/name, filled by fetch unless that was done with the same pins
// before. The pinned files lie in the folder when fetch runs.
func ensure(dir, name, salt string, fetch func(home string) error, files ...string) (string, error) {
	base, err := filepath.Abs(filepath.Join(dir, "clients"))
	if err != nil {
		return "", err
	}
	home, mark := filepath.Join(base, name), salt
	content := map[string][]byte{}
	for _, f := range files {
		if content[f], err = pins.ReadFile("pins/" + f); err != nil {
			return "", err
		}
		mark += "\n" + string(content[f])
	}
	sum := sha256.Sum256([]byte(mark))
	stamp, want := filepath.Join(home, ".pins"), hex.EncodeToString(sum[:])
	unlock, err := pinned.Lock(filepath.Join(base, ".lock"))
	if err != nil {
		return "", fmt.Errorf("pgclients: %w", err)
	}
	defer unlock()
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return home, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("pgclients: %w", err)
	}
	if err := errors.Join(os.RemoveAll(home), os.MkdirAll(home, 0o755)); err != nil {
		return "", fmt.Errorf("pgclients: %w", err)
	}
	for f, b := range content {
		if err := os.WriteFile(filepath.Join(home, f), b, 0o644); err != nil {
			return "", fmt.Errorf("pgclients: %w", err)
		}
	}
	if err := fetch(home); err != nil {
		return "", fmt.Errorf("pgclients: fetching the clients for %s: %w", name, err)
	}
	return home, os.WriteFile(stamp, []byte(want), 0o644)
}

func command(ctx context.Context, dir string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

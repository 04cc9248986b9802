package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/pinned"
)

// The distribution's source of the same release as pgserver.V15, and its headers.
const (
	sourceVersion = "15.18-0+deb12u1"
	sourceArchive = "postgresql-15_15.18.orig.tar.bz2"
	sourceSHA256  = "11df0df97fe3ea4ba9a791faaf39cee1d2fe571e78885b5b55d8517d27c323b4"
	headersSHA256 = "95cbf539ffef3bb3922cae4193a61778ed014f126855e123bdbd2b267bb371c5"
)

// suite is the folder of src/test/regress, with the shared objects that its
// functions are in. It is fetched once.
func suite(ctx context.Context, tools, postgresHome string) (string, error) {
	home := filepath.Join(tools, "pg-regress-"+sourceVersion)
	in := filepath.Join(home, "postgresql-15.18", "src", "test", "regress")
	if _, err := os.Stat(filepath.Join(in, "regress.so")); err == nil {
		return in, nil
	}
	if err := os.RemoveAll(home); err != nil {
		return "", err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	if err := fetch(ctx, home); err != nil {
		return "", err
	}
	headers := "usr/include/postgresql/15/server"
	return in, shell(ctx, home, fmt.Sprintf(`
tar xjf %[1]s --wildcards '*/src/test/regress'
dpkg-deb -x postgresql-server-dev-15_*.deb .
cp %[2]s/lib/postgresql/autoinc.so %[2]s/lib/postgresql/refint.so %[3]s/
gcc -O1 -fPIC -shared -I%[4]s -o %[3]s/regress.so.new %[3]s/regress.c
mv %[3]s/regress.so.new %[3]s/regress.so`, sourceArchive, postgresHome, in, headers))
}

// fetch asks the distribution's package manager, with lists of its own, so that
// nothing is installed and the machine's list of sources stays as it is.
func fetch(ctx context.Context, home string) error {
	err := shell(ctx, home, `
mkdir -p apt/lists/partial apt/cache/archives/partial
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
  while read -r source; do echo "deb $source"; echo "deb-src $source"; done > apt/sources.list
apt() { apt-get -q -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
  -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" "$@"; }
apt update
apt source --download-only postgresql-15=`+sourceVersion+`
apt download postgresql-server-dev-15=`+sourceVersion+`
rm -r apt`)
	if err != nil {
		return err
	}
	headers, _ := filepath.Glob(filepath.Join(home, "postgresql-server-dev-15_*.deb"))
	if len(headers) != 1 {
		return errors.New("the headers were not fetched")
	}
	return errors.Join(pinned.CheckSHA256(filepath.Join(home, sourceArchive), sourceSHA256), pinned.CheckSHA256(headers[0], headersSHA256))
}

func shell(ctx context.Context, dir, script string) error {
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w in\n%s\n%s", err, strings.TrimSpace(script), out)
	}
	return nil
}

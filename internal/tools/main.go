// Command tools fetches what the demo and the tests run against: Envoy,
// PostgreSQL, and psql where the machine lacks it. All pinned, kept in one
// folder, and nothing is done twice.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/pgserver"
)

func main() {
	dir := flag.String("dir", ".tools", "folder to keep them in")
	matrix := flag.Bool("matrix", false, "every supported Envoy, not only the pinned one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, *matrix); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, matrix bool) error {
	for _, r := range envoy.Releases() {
		v := r.Version
		if !matrix && v != envoy.Version {
			continue
		}
		path, err := envoy.Ensure(ctx, dir, v)
		if err != nil {
			return err
		}
		fmt.Println("envoy", v, path)
	}
	for _, v := range []string{pgserver.V15, pgserver.Newest} {
		path, err := pgserver.Ensure(ctx, dir, v)
		if err != nil {
			return err
		}
		fmt.Println("postgres", v, path)
	}
	return ensurePsql(ctx)
}

// ensurePsql installs the distribution's client where there is none: it is the
// only one that is built with TLS.
func ensurePsql(ctx context.Context) error {
	if path, err := exec.LookPath("psql"); err == nil {
		fmt.Println("psql", path)
		return nil
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "postgresql-client"}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("psql is missing and apt-get %v failed: %w\n%s", args, err, out)
		}
	}
	return nil
}

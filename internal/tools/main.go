// Command tools fetches what the demo and the tests run against: Envoy,
// PostgreSQL, client libraries, and psql and language runtimes where the machine
// lacks them. What is fetched is pinned, kept in one folder, and not fetched twice.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/httpserver"
	"dragoman.dev/dragoman/internal/kubecluster"
	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/pgserver"
)

func main() {
	dir := flag.String("dir", ".tools", "folder to keep them in")
	matrix := flag.Bool("matrix", false, "every supported Envoy, not only the pinned one")
	kube := flag.Bool("kube", false, "only what runs a Kubernetes cluster; the first time this takes some 11 minutes")
	rdp := flag.Bool("rdp", false, "only what runs RDP servers and clients")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	get := func() error { return run(ctx, *dir, *matrix) }
	if *kube {
		get = func() error { return ensureCluster(ctx, *dir) }
	}
	if *rdp {
		get = func() error { return ensureCommands(ctx, rdpRuntimes()) }
	}
	if err := get(); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, matrix bool) error {
	if err := ensureRuntimes(ctx); err != nil {
		return err
	}
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
	path, err := httpserver.Ensure(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Println("nginx", path)
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		path, err := mysqlserver.Ensure(ctx, dir, kind)
		if err != nil {
			return err
		}
		fmt.Println(kind, path)
	}
	return ensureClients(ctx, dir)
}

// ensureCluster gets what runs a Kubernetes cluster: programs of the distribution, those that are built, and clients.
func ensureCluster(ctx context.Context, dir string) error {
	if err := ensureCommands(ctx, clusterRuntimes); err != nil {
		return err
	}
	t, err := kubecluster.Ensure(ctx, dir, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Printf("kubernetes %s %s\nkubectl %s\nclient kubernetes-python %s\n", kubecluster.Version, t.Bin, t.Kubectl, t.Python)
	return nil
}

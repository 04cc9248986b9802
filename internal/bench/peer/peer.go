// Package peer starts what the benchmark compares, all in front of the same
// PostgreSQL: nothing at all, a plain Envoy with tcp_proxy, pgbouncer, and
// `dragoman up` with policy, masks and recording. What is sent through them and
// what is measured is left to its neighbours load and report.
package peer

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Names of the peers, in the order in which a round takes them.
const (
	Direct    = "direct"
	Plain     = "plain Envoy"
	PgBouncer = "pgbouncer"
	Dragoman  = "dragoman"
)

// Workers is how many threads each Envoy has.
const Workers = 2

// Place is where a client connects to, and as whom.
type Place struct {
	Port     int
	User     string
	Password string
	Database string
}

// Addr is host:port.
func (p Place) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)) }

// DSN is a libpq connection string without the password.
func (p Place) DSN() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable connect_timeout=30", p.Port, p.User, p.Database)
}

// Peer is one that runs.
type Peer struct {
	Name string
	Place
	// Proxy is the process that the client's bytes pass, 0 for direct; Control is
	// its control plane, 0 where there is none.
	Proxy   int
	Control int

	data string // dragoman's folder
	stop func() error
}

// Stop ends it and removes its folder.
func (p *Peer) Stop() error {
	if p.stop == nil {
		return nil
	}
	return p.stop()
}

// process is a child of ours; name is its program.
type process struct {
	*child.Child
	name string
}

// start runs the command, its output in the file, until it is ready.
func start(ctx context.Context, cmd *exec.Cmd, log string, ready func() bool) (*process, error) {
	c, err := localserver.Start(ctx, cmd, log, syscall.SIGTERM, ready)
	if err != nil {
		return nil, err
	}
	return &process{c, cmd.Path}, nil
}

// end asks the child to end, and ends it when it does not.
func (c *process) end() error {
	if c.End(syscall.SIGTERM, 20*time.Second) {
		return fmt.Errorf("%s did not end within 20 s and was killed", c.name)
	}
	return nil
}

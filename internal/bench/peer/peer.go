// Package peer starts what the benchmark compares, all in front of the same
// PostgreSQL: nothing at all, a plain Envoy with tcp_proxy, pgbouncer, and
// `dragoman up` with policy, masks and recording. What is sent through them and
// what is measured is left to its neighbours load and report.
package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
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

// start runs the command, its output in the file.
func start(cmd *exec.Cmd, logFile string) (*process, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	c, err := child.Start(cmd, syscall.SIGTERM)
	return &process{c, cmd.Path}, err
}

// end asks the child to end, and ends it when it does not.
func (c *process) end() error {
	if c.End(syscall.SIGTERM, 20*time.Second) {
		return fmt.Errorf("%s did not end within 20 s and was killed", c.name)
	}
	return nil
}

// await tries ready until it is true, the child ends or a minute is over.
func (c *process) await(ctx context.Context, logFile string, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ready() {
		select {
		case <-c.Done():
			text, _ := os.ReadFile(logFile)
			return fmt.Errorf("%s ended: %v\n%s", c.name, c.Wait(), text)
		case <-ctx.Done():
			text, _ := os.ReadFile(logFile)
			return fmt.Errorf("%s is not ready: %w\n%s", c.name, ctx.Err(), text)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func listening(addr string) func() bool {
	return func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

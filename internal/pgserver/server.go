package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Options of a server. The zero value of each but Home is usable.
type Options struct {
	Home     string            // from Ensure
	Port     int               // 0 takes a free one
	User     string            // superuser, default "postgres"
	Password string            // default "postgres"; SCRAM-SHA-256 over TCP
	HBA      string            // whole pg_hba.conf; default: scram for all on loopback
	Settings map[string]string // postgresql.conf
	TLSCert  string            // PEM; with TLSKey turns TLS on
	TLSKey   string
	TLSCA    string // client CA
	// Keep is a folder that every user may reach, in which the cluster stays: a server that is started there later goes on with
	// it. "": a scratch folder.
	Keep string
}

// Server is a running PostgreSQL. Stop it.
type Server struct {
	Port     int
	User     string
	Password string
	Dir      string // scratch folder
	kept     bool
	process  *child.Child
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL is a libpq connection string for the database.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=prefer", s.User, s.Password, s.Addr(), database)
}

// LogFile is the server's own log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "server.log") }

// Pid of the postmaster.
func (s *Server) Pid() int { return s.process.PID() }

// Start makes a new cluster in a scratch folder and starts a server on it.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.User == "" {
		o.User = "postgres"
	}
	if o.Password == "" {
		o.Password = "postgres"
	}
	if o.Port == 0 {
		port, err := localserver.FreePort()
		if err != nil {
			return nil, err
		}
		o.Port = port
	}
	dir, err := o.Keep, error(nil)
	if dir == "" {
		dir, err = os.MkdirTemp("", "dragoman-pg-")
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	s := &Server{Port: o.Port, User: o.User, Password: o.Password, Dir: dir, kept: o.Keep != ""}
	if err := s.launch(ctx, o); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *Server) remove() error {
	if s.kept {
		return nil
	}
	return os.RemoveAll(s.Dir)
}

func (s *Server) launch(ctx context.Context, o Options) error {
	home, err := localserver.Reachable(o.Home, s.Dir, "bin/postgres", "--version")
	if err != nil {
		return err
	}
	if err := s.initCluster(ctx, home, o); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(home, "bin", "postgres"), "-D", filepath.Join(s.Dir, "data"))
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = s.Dir
	cmd.SysProcAttr = localserver.Unprivileged()
	// Its log says when: a TCP connect alone would also succeed during recovery.
	s.process, err = localserver.Start(ctx, cmd, s.LogFile(), syscall.SIGQUIT, localserver.Says(s.LogFile(), "database system is ready to accept connections"))
	return err
}

func (s *Server) initCluster(ctx context.Context, home string, o Options) error {
	pw := filepath.Join(s.Dir, "pw")
	if err := os.WriteFile(pw, []byte(o.Password+"\n"), 0o600); err != nil {
		return err
	}
	if err := localserver.GiveAway(s.Dir, pw); err != nil {
		return err
	}
	data := filepath.Join(s.Dir, "data")
	if _, err := os.Stat(filepath.Join(data, "postgresql.conf")); s.kept && err == nil {
		return s.configure(data, o) // the last words about a setting count
	}
	cmd := exec.CommandContext(ctx, filepath.Join(home, "bin", "initdb"), "-D", data, "-U", o.User,
		"--pwfile="+pw, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = s.Dir
	cmd.SysProcAttr = localserver.Unprivileged()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: initdb: %w\n%s", err, out)
	}
	return s.configure(data, o)
}

func (s *Server) configure(data string, o Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nlisten_addresses='127.0.0.1'\nport=%d\nunix_socket_directories='%s'\nfsync=off\nmax_connections=1200\nshared_buffers=64MB\nautovacuum=off\n", o.Port, s.Dir)
	for _, f := range []struct{ name, setting, pem string }{
		{"server.crt", "ssl_cert_file", o.TLSCert}, {"server.key", "ssl_key_file", o.TLSKey}, {"ca.crt", "ssl_ca_file", o.TLSCA},
	} {
		if f.pem == "" {
			continue
		}
		path := filepath.Join(data, f.name)
		if err := os.WriteFile(path, []byte(f.pem), 0o600); err != nil {
			return err
		}
		if err := localserver.GiveAway(path); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s='%s'\n", f.setting, f.name)
	}
	if o.TLSCert != "" {
		b.WriteString("ssl=on\n")
	}
	for k, v := range o.Settings {
		fmt.Fprintf(&b, "%s='%s'\n", k, strings.ReplaceAll(v, "'", "''"))
	}
	if o.HBA != "" {
		if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(o.HBA+"\n"), 0o600); err != nil {
			return err
		}
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := conf.WriteString(b.String()); err != nil {
		conf.Close()
		return err
	}
	return conf.Close()
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	err := s.process.Signal(syscall.SIGINT) // fast shutdown
	select {
	case <-s.process.Done():
	case <-time.After(10 * time.Second):
		s.process.End(syscall.SIGQUIT, 10*time.Second)
	}
	return errors.Join(err, s.remove())
}

package mysqlserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Options of a server. Kind is needed, and Home for MySQL.
type Options struct {
	Kind Kind
	Home string   // from Ensure
	Args []string // more options of the server
	SQL  string   // run as root at the start, one statement a line
	// TLSCert, TLSKey and TLSCA are PEM; MySQL makes a certificate of its own when there is none.
	TLSCert, TLSKey, TLSCA string
}

// Server is a running server. Its user root has the password Password. Stop it.
type Server struct {
	Kind     Kind
	Port     int
	Password string
	Dir      string // scratch folder
	process  *child.Child
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// LogFile is the server's error log, GeneralLog the log of every statement.
func (s *Server) LogFile() string    { return filepath.Join(s.Dir, "server.log") }
func (s *Server) GeneralLog() string { return filepath.Join(s.Dir, "data", "general.log") }

// Socket is the server's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.Dir, "s") }

// Start makes a new data folder in a scratch folder and starts a server on it.
func Start(ctx context.Context, o Options) (*Server, error) {
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dragoman-my-")
	if err != nil {
		return nil, err
	}
	s := &Server{Kind: o.Kind, Port: port, Password: "root", Dir: dir}
	if err := s.launch(ctx, o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context, o Options) error {
	for name, pem := range map[string]string{"server.crt": o.TLSCert, "server.key": o.TLSKey, "ca.crt": o.TLSCA,
		"init.sql": "ALTER USER 'root'@'localhost' IDENTIFIED BY 'root';\n" + o.SQL} {
		if pem == "" {
			continue
		}
		path := filepath.Join(s.Dir, name)
		if err := os.WriteFile(path, []byte(pem), 0o600); err != nil {
			return err
		}
		if err := localserver.GiveAway(path); err != nil {
			return err
		}
	}
	if err := localserver.GiveAway(s.Dir); err != nil {
		return err
	}
	server, args, err := s.prepare(ctx, o)
	if err != nil {
		return err
	}
	cmd := exec.Command(server, append(args, o.Args...)...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = s.Dir
	cmd.SysProcAttr = localserver.Unprivileged()
	// It takes connections after its init file, and says so.
	s.process, err = localserver.Start(ctx, cmd, s.LogFile(), syscall.SIGKILL, localserver.Says(s.LogFile(), "ready for connections"))
	return err
}

// prepare makes the data folder and gives the server's program and options.
func (s *Server) prepare(ctx context.Context, o Options) (server string, args []string, err error) {
	data := filepath.Join(s.Dir, "data")
	args = []string{"--no-defaults", "--datadir=" + data, "--port=" + strconv.Itoa(s.Port), "--bind-address=127.0.0.1", "--socket=" + s.Socket(),
		"--init-file=" + filepath.Join(s.Dir, "init.sql"), "--general-log=1", "--general-log-file=" + s.GeneralLog(), "--skip-name-resolve",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--max-connections=400", "--max-allowed-packet=256M", "--local-infile=1",
		"--innodb-stats-auto-recalc=0"} // plans, and so the order of rows, are the same each time
	if o.TLSCert != "" {
		args = append(args, "--ssl-cert="+filepath.Join(s.Dir, "server.crt"), "--ssl-key="+filepath.Join(s.Dir, "server.key"))
	}
	if o.TLSCA != "" {
		args = append(args, "--ssl-ca="+filepath.Join(s.Dir, "ca.crt"))
	}
	if o.Kind == MariaDB {
		if server, err = program("mariadbd"); err != nil {
			return "", nil, err
		}
		install, err := program("mariadb-install-db")
		if err != nil {
			return "", nil, err
		}
		return server, append(args, "--loose-plugin-load-add=auth_ed25519", "--skip-log-bin"), s.run(ctx, install, "--no-defaults", "--datadir="+data,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	}
	home, err := localserver.Reachable(o.Home, s.Dir, "bin/mysqld", "--no-defaults", "--version")
	if err != nil {
		return "", nil, err
	}
	server = filepath.Join(home, "bin", "mysqld")
	where := []string{"--basedir=" + home, "--lc-messages-dir=" + filepath.Join(home, "share")}
	args = append(append(args, where...), "--mysqlx=0", "--disable-log-bin")
	return server, args, s.run(ctx, server, append([]string{"--no-defaults", "--initialize-insecure", "--datadir=" + data}, where...)...)
}

func (s *Server) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin"}
	cmd.Dir = s.Dir
	cmd.SysProcAttr = localserver.Unprivileged()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mysqlserver: %s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	s.process.End(syscall.SIGTERM, 10*time.Second)
	return os.RemoveAll(s.Dir)
}

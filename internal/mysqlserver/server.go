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
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
)

// nobody is the user that the server runs as when we are root.
const nobody = 65534

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
	port, err := freePort()
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
		if err := giveAway(path); err != nil {
			return err
		}
	}
	if err := giveAway(s.Dir); err != nil {
		return err
	}
	server, args, err := s.prepare(ctx, o)
	if err != nil {
		return err
	}
	log, err := os.Create(s.LogFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(server, append(args, o.Args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = s.Dir
	cmd.SysProcAttr = unprivileged()
	if s.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.Stop())
	}
	return nil
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
	home, err := reachable(o.Home, s.Dir)
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
	cmd.SysProcAttr = unprivileged()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mysqlserver: %s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// awaitReady waits until the server takes connections, which it does after its init file.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		log, _ := os.ReadFile(s.LogFile())
		if strings.Contains(string(log), "ready for connections") {
			return nil
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("mysqlserver: server ended: %v\n%s", s.process.Wait(), log)
		case <-ctx.Done():
			return fmt.Errorf("mysqlserver: not ready: %w\n%s", ctx.Err(), log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	s.process.End(syscall.SIGTERM, 10*time.Second)
	return os.RemoveAll(s.Dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func unprivileged() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return attr
}

func giveAway(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, nobody, nobody)
}

// reachable returns home, or a copy of it below dir when the unprivileged user cannot run it where it is.
func reachable(home, dir string) (string, error) {
	cmd := exec.Command(filepath.Join(home, "bin", "mysqld"), "--no-defaults", "--version")
	cmd.SysProcAttr = unprivileged()
	if cmd.Run() == nil {
		return home, nil
	}
	dst := filepath.Join(dir, "home")
	if out, err := exec.Command("cp", "-a", home, dst).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mysqlserver: copying binaries: %w\n%s", err, out)
	}
	return dst, os.Chmod(dir, 0o755)
}

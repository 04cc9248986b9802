package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"dragoman.dev/dragoman/internal/localserver"
)

// nobody runs pgbouncer, which refuses root.
const nobody = 65534

const pgbouncerINI = `[databases]
%[1]s = host=127.0.0.1 port=%[2]d dbname=%[1]s user=%[3]s password='%[4]s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[5]d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %[6]s
pool_mode = session
max_client_conn = 4096
default_pool_size = 1100
server_lifetime = 86400
server_idle_timeout = 86400
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
`

// StartPgBouncer starts one with session pooling. The Debian package is installed
// when it is missing.
func StartPgBouncer(ctx context.Context, d *Database) (*Peer, error) {
	binary, err := ensurePgBouncer(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-pgbouncer-")
	if err != nil {
		return nil, err
	}
	p, err := startPgBouncer(ctx, binary, dir, d)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func startPgBouncer(ctx context.Context, binary, dir string, d *Database) (*Peer, error) {
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	place := d.place()
	ini, users, log := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "users.txt"), filepath.Join(dir, "log")
	text := fmt.Sprintf(pgbouncerINI, database, place.Port, place.User, place.Password, port, users)
	for path, content := range map[string]string{ini: text, users: fmt.Sprintf("%q %q\n", place.User, place.Password)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(binary, ini)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		for _, path := range []string{dir, ini, users} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				return nil, err
			}
		}
	}
	c, err := start(ctx, cmd, log, localserver.Answers(fmt.Sprintf("127.0.0.1:%d", port)))
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: PgBouncer, Place: place, Proxy: c.PID()}
	p.Port = port
	p.stop = func() error { return errors.Join(c.end(), os.RemoveAll(dir)) }
	return p, nil
}

func ensurePgBouncer(ctx context.Context) (string, error) {
	find := func() string {
		if p, err := exec.LookPath("pgbouncer"); err == nil {
			return p
		}
		if _, err := os.Stat("/usr/sbin/pgbouncer"); err == nil {
			return "/usr/sbin/pgbouncer"
		}
		return ""
	}
	if p := find(); p != "" {
		return p, nil
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "pgbouncer"}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("pgbouncer is missing and apt-get %v failed: %w\n%s", args, err, out)
		}
	}
	if p := find(); p != "" {
		return p, nil
	}
	return "", errors.New("pgbouncer is not there after it was installed")
}

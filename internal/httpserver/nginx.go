// Package httpserver runs a real nginx for tests: Debian's binary, taken out of its package without installing
// it (the package would start a service), on free ports of loopback with a scratch folder.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Ensure gives the path of nginx in the tools folder, which is fetched once.
func Ensure(ctx context.Context, tools string) (string, error) {
	tools, err := filepath.Abs(tools)
	if err != nil {
		return "", err
	}
	home := filepath.Join(tools, "nginx")
	bin := filepath.Join(home, "usr", "sbin", "nginx")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(tools, ".nginx-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := run(ctx, tmp, "apt-get", "download", "-qq", "nginx"); err != nil {
		if err := run(ctx, tmp, "apt-get", "update", "-qq"); err != nil {
			return "", err
		}
		if err := run(ctx, tmp, "apt-get", "download", "-qq", "nginx"); err != nil {
			return "", err
		}
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if len(debs) != 1 {
		return "", fmt.Errorf("nginx: %d packages came", len(debs))
	}
	out := filepath.Join(tmp, "root")
	if err := run(ctx, tmp, "dpkg-deb", "-x", debs[0], out); err != nil {
		return "", err
	}
	if err := os.Rename(out, home); err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(bin); there != nil { // else another process was quicker
			return "", err
		}
	}
	return bin, nil
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// Nginx is a running one.
type Nginx struct {
	Dir   string // its scratch folder: html is served, access.log has what it was asked
	Addr  string // host:port, HTTP/1.1
	child *child.Child
}

// Options of an nginx.
type Options struct {
	Bin string
	Dir string // an empty folder
	// Server is put into the server block; a default serves Dir/html.
	Server string
	// Log is nginx's log_format of access.log; default: the raw request line, status and host.
	Log string
}

const config = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log info;
events { worker_connections 1024; }
http {
  log_format seen '%[4]s';
  access_log %[1]s/access.log seen;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  default_type application/octet-stream;
  types { text/html html; text/plain txt; application/json json; }
  keepalive_timeout 60;
  client_max_body_size 0;
  underscores_in_headers on;
  server {
    listen %[2]s;
    root %[1]s/html;
    %[3]s
  }
}
`

// Start runs nginx until Stop.
func Start(o Options) (*Nginx, error) {
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := os.MkdirAll(filepath.Join(o.Dir, "html"), 0o755); err != nil {
		return nil, err
	}
	if o.Log == "" {
		o.Log = "$request|$status|$http_host"
	}
	file := filepath.Join(o.Dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, o.Dir, addr, o.Server, o.Log), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Bin, "-e", filepath.Join(o.Dir, "error.log"), "-p", o.Dir, "-c", file)
	c, err := localserver.Start(context.Background(), cmd, filepath.Join(o.Dir, "nginx.out"), syscall.SIGKILL, localserver.Answers(addr))
	if err != nil {
		return nil, err
	}
	return &Nginx{Dir: o.Dir, Addr: addr, child: c}, nil
}

// Stop ends it.
func (n *Nginx) Stop() {
	n.child.Signal(syscall.SIGKILL)
	n.child.Wait()
}

// Log is what it was asked until now, a line each.
func (n *Nginx) Log() ([]string, error) {
	b, err := os.ReadFile(filepath.Join(n.Dir, "access.log"))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), nil
}

package rdpserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"dragoman.dev/dragoman/internal/localserver"
)

// Xrdp is xrdp with its session manager. A session has one window with a shell.
type Xrdp struct {
	*Server
	display int // of the first session
}

// StartXrdp runs it in namespaces of its own, with another /etc/passwd, so that the machine has no user more. It takes root.
func StartXrdp(ctx context.Context) (*Xrdp, error) {
	x := &Xrdp{}
	s, err := retry(func() (*Server, error) { return x.launch(ctx) })
	if err != nil {
		return nil, err
	}
	x.Server = s
	return x, nil
}

// inside mounts what is the server's own over the machine's, and runs it. The first argument is the scratch folder. When the last
// program is killed, so are all in its process namespace, the sessions too.
const inside = `set -e
d=$1
mount --bind $d/etc /etc/xrdp
mount --bind $d/passwd /etc/passwd
mount --bind $d/shadow /etc/shadow
mkdir -p /run/xrdp
mount --bind $d/run /run/xrdp
mount --bind $d/tmp /tmp
/usr/sbin/xrdp-sesman --nodaemon &
exec /usr/sbin/xrdp --nodaemon
`

const startWM = `#!/bin/sh
xsetroot -solid '#204060'
exec xterm -geometry 60x10+50+40 -bg white -fg black -e sh
`

func (x *Xrdp) launch(ctx context.Context) (*Server, error) {
	dir, err := scratch("xrdp-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, User: "rdpuser", Password: "s3cret-Pass"}
	if s.Port, err = localserver.FreePort(); err != nil {
		return s, err
	}
	manager, err := localserver.FreePort()
	if err != nil {
		return s, err
	}
	x.display = 100 + manager%20000 // sockets of displays are not in a namespace of their own
	if err := x.configure(ctx, s, manager); err != nil {
		return s, err
	}
	log := filepath.Join(dir, "out.log")
	inside := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "sh", "-c", inside, "sh", dir)
	listens, managed := localserver.Answers(s.Address()), localserver.Says(filepath.Join(dir, "run", "sesman.log"), "starting xrdp-sesman")
	return s, s.start(ctx, inside, log, func() bool { return managed() && listens() })
}

func (x *Xrdp) configure(ctx context.Context, s *Server, manager int) error {
	in := func(name string) string { return filepath.Join(s.Dir, name) }
	s.Cert = in("etc/desk.pem")
	if err := os.CopyFS(in("etc"), os.DirFS("/etc/xrdp")); err != nil {
		var link *os.PathError // its links to the machine's certificate are not needed
		if !errors.As(err, &link) {
			return err
		}
	}
	for _, d := range []string{"run", "run/home", "run/sockdir", "tmp"} {
		if err := os.MkdirAll(in(d), 0o755); err != nil {
			return err
		}
	}
	login, err := shadowPassword(ctx, s.User, s.Password)
	if err != nil {
		return err
	}
	return errors.Join(
		os.Chmod(in("run/sockdir"), 0o777|os.ModeSticky), os.Chmod(in("tmp"), 0o777|os.ModeSticky),
		certificate(s.Cert, in("etc/desk.key")),
		copyFile(in("passwd"), "/etc/passwd", s.User+":x:0:0::/run/xrdp/home:/bin/sh\n"), os.Chmod(in("passwd"), 0o644),
		copyFile(in("shadow"), "/etc/shadow", login),
		os.WriteFile(in("etc/startwm.sh"), []byte(startWM), 0o755), os.Chmod(in("etc/startwm.sh"), 0o755),
		edit(in("etc/xrdp.ini"), map[string]string{"port": fmt.Sprintf("tcp://127.0.0.1:%d", s.Port), "security_layer": "tls",
			"certificate": "/etc/xrdp/desk.pem", "key_file": "/etc/xrdp/desk.key", "LogFile": "/run/xrdp/xrdp.log", "EnableSyslog": "false"}),
		edit(in("etc/sesman.ini"), map[string]string{"ListenPort": fmt.Sprint(manager), "LogFile": "/run/xrdp/sesman.log", "EnableSyslog": "false",
			"KillDisconnected": "true", "X11DisplayOffset": fmt.Sprint(x.display)}),
	)
}

// edit sets keys of an ini file where they are first.
func edit(path string, keys map[string]string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for k, v := range keys {
		at := regexp.MustCompile(`(?m)^` + k + `=.*$`).FindIndex(b)
		if at == nil {
			return fmt.Errorf("rdpserver: %s has no %s", path, k)
		}
		b = append(append(append([]byte(nil), b[:at[0]]...), k+"="+v...), b[at[1]:]...)
	}
	return os.WriteFile(path, b, 0o644)
}

// Home is the home folder of the login.
func (x *Xrdp) Home() string { return filepath.Join(x.Dir, "run", "home") }

// Run runs a program on the display of the session that was opened first.
func (x *Xrdp) Run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	env := append(os.Environ(), fmt.Sprintf("DISPLAY=:%d", x.display), "XAUTHORITY="+filepath.Join(x.Home(), ".Xauthority"))
	return runOn(ctx, env, stdin, name, args...)
}

// Logs are what the server has said.
func (x *Xrdp) Logs() string {
	var out strings.Builder
	for _, name := range []string{"out.log", "run/xrdp.log", "run/sesman.log"} {
		b, _ := os.ReadFile(filepath.Join(x.Dir, name))
		fmt.Fprintf(&out, "== %s\n%s", name, b)
	}
	return out.String()
}

// Package sshserver runs a real OpenSSH server without a system service: the distribution's sshd, on
// loopback, on a free port, with a config, host keys and a user CA of its own in a scratch folder. It logs in
// whoever runs it, by key or certificate. The end-to-end tests use it; the gateway itself does not.
package sshserver

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// program is Debian's; sshd wants to be started by its full path.
const program = "/usr/sbin/sshd"

// Server is a running sshd. Stop it.
type Server struct {
	Port    int
	User    string // the one login
	Dir     string // scratch folder
	HostKey string // its public key, as in known_hosts
	Key     string // file of a private key that it lets in
	CA      string // file of a private key whose user certificates it lets in
	process *child.Child
}

// Start runs an sshd; extra are more lines of its config.
func Start(ctx context.Context, extra ...string) (*Server, error) {
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("sshserver: %w (the package openssh-server)", err)
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sshd-")
	if err != nil {
		return nil, err
	}
	s := &Server{User: me.Username, Dir: dir, Key: filepath.Join(dir, "key"), CA: filepath.Join(dir, "ca")}
	if err := s.launch(ctx, extra); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context, extra []string) error {
	if os.Geteuid() == 0 { // where it separates privileges
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
	}
	host, err := NewKey(filepath.Join(s.Dir, "host"))
	if err != nil {
		return err
	}
	s.HostKey = host
	for _, path := range []string{s.Key, s.CA} {
		if _, err := NewKey(path); err != nil {
			return err
		}
	}
	if s.Port, err = localserver.FreePort(); err != nil {
		return err
	}
	conf := append([]string{
		fmt.Sprintf("Port %d", s.Port), "ListenAddress 127.0.0.1", "HostKey " + filepath.Join(s.Dir, "host"), "PidFile none",
		"AuthorizedKeysFile " + s.Key + ".pub", "TrustedUserCAKeys " + s.CA + ".pub", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel VERBOSE", "AcceptEnv LANG LC_* X_*", "AllowTcpForwarding yes",
		"Subsystem sftp internal-sftp", "MaxSessions 200", "MaxStartups 200", "PrintMotd no", "UseDNS no"}, extra...)
	path := filepath.Join(s.Dir, "sshd_config")
	if err := os.WriteFile(path, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(program, "-D", "-e", "-f", path)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin"}
	s.process, err = localserver.Start(ctx, cmd, s.LogFile(), syscall.SIGKILL, localserver.Answers(s.Address()))
	return err
}

// LogFile is sshd's log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "log") }

// PID is the process that waits for connections; each of them is a child of it.
func (s *Server) PID() int { return s.process.PID() }

// Address is where it listens.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	s.process.End(syscall.SIGTERM, 5*time.Second)
	return os.RemoveAll(s.Dir)
}

// NewKey makes an Ed25519 key: a private key at path, the public one at path.pub and given back.
func NewKey(path string) (string, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return "", err
	}
	k, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", err
	}
	line := ssh.MarshalAuthorizedKey(k)
	if err := os.WriteFile(path+".pub", line, 0o644); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(line)), os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

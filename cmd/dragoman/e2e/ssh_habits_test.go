package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestSSHHabits: what people and scripts do with OpenSSH beside running a command.
func TestSSHHabits(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	with := func(stdin string, env []string, args ...string) (string, string, int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := r.command(ctx, token, "ssh", append([]string{"-p", fmt.Sprint(r.port)}, args...)...)
		cmd.Env = append(cmd.Env, env...)
		return output(t, cmd, stdin)
	}
	t.Run("new keys in the middle", func(t *testing.T) {
		data := make([]byte, 8<<20)
		if _, err := rand.Read(data); err != nil {
			t.Fatal(err)
		}
		if out, errs, code := with(string(data), nil, "-o", "RekeyLimit=1M", "web1@127.0.0.1", "cat"); out != string(data) || code != 0 {
			t.Errorf("%d bytes of %d come back: %q %d", len(out), len(data), errs, code)
		}
	})
	t.Run("one connection for many", func(t *testing.T) { shared(t, r, with) })
	t.Run("keep-alives", func(t *testing.T) {
		if out, errs, code := with("", nil, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "web1@127.0.0.1", "sleep 3; echo alive"); out != "alive\n" || code != 0 {
			t.Errorf("%q %q %d", out, errs, code)
		}
	})
	t.Run("agents and displays stay home", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(r.dir, "agent.sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out, _, _ := with("", []string{"DISPLAY=:77"}, "-o", "ForwardAgent="+l.Addr().String(), "-X", "-o", "ForwardX11Trusted=yes", "web1@127.0.0.1", "echo agent=$SSH_AUTH_SOCK display=$DISPLAY")
		if out != "agent= display=\n" {
			t.Errorf("%q", out)
		}
	})
	t.Run("terminals", func(t *testing.T) {
		if out, errs, code := with("", nil, "-tt", "web1@127.0.0.1", "tty; exit 7"); !strings.Contains(out, "/dev/pts/") || code != 7 {
			t.Errorf("%q %q %d", out, errs, code)
		}
	})
	t.Run("the input's end", func(t *testing.T) {
		if out, errs, code := with("a\nb\n", nil, "web1@127.0.0.1", "cat; echo done; exit 5"); out != "a\nb\ndone\n" || code != 5 {
			t.Errorf("%q %q %d", out, errs, code)
		}
		if out, errs, code := with("never read\n", nil, "-n", "web1@127.0.0.1", "cat; echo done"); out != "done\n" || code != 0 {
			t.Errorf("%q %q %d", out, errs, code)
		}
	})
	t.Run("variables", func(t *testing.T) {
		if out, errs, _ := with("", nil, "-o", "SetEnv=SECRET_X=no", "web1@127.0.0.1", "echo x=$SECRET_X"); out != "x=\n" {
			t.Errorf("%q %q", out, errs)
		}
	})
	t.Run("signals", func(t *testing.T) { signals(t, r.dial(token)) })
	t.Run("algorithms", func(t *testing.T) {
		for _, args := range [][]string{{"-c", "chacha20-poly1305@openssh.com"}, {"-c", "aes128-ctr", "-m", "hmac-sha2-256"}, {"-c", "aes256-gcm@openssh.com"}, {"-o", "KexAlgorithms=curve25519-sha256"},
			{"-o", "KexAlgorithms=ecdh-sha2-nistp256"}, {"-o", "Compression=yes"}} {
			if out, errs, code := with("", nil, append(args, "web1@127.0.0.1", "echo in")...); out != "in\n" || code != 0 {
				t.Errorf("%v: %q %q %d", args, out, errs, code)
			}
		}
		for _, args := range [][]string{{"-c", "3des-cbc"}, {"-c", "aes128-cbc"}, {"-o", "KexAlgorithms=diffie-hellman-group1-sha1"}, {"-o", "HostKeyAlgorithms=ssh-rsa"}, {"-c", "aes128-ctr", "-m", "hmac-md5"}} {
			if out, _, code := with("", nil, append(args, "web1@127.0.0.1", "echo in")...); out != "" || code != 255 {
				t.Errorf("%v: %q %d", args, out, code)
			}
		}
	})
	t.Run("git", func(t *testing.T) { gitOverSSH(t, r, token) })
}

// shared: commands over one connection, at the same time, are one session.
func shared(t *testing.T, r *sshRig, with func(string, []string, ...string) (string, string, int)) {
	before := len(r.sessions(t))
	path := filepath.Join(r.dir, "mux")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	master := r.command(ctx, r.token("ops"), "ssh", "-p", fmt.Sprint(r.port), "-M", "-N", "-S", path, "web1@127.0.0.1")
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, 60*time.Second, "the first connection is there", func() bool { _, err := os.Stat(path); return err == nil })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if out, errs, code := with("", nil, "-S", path, "web1@127.0.0.1", fmt.Sprintf("echo %d; exit %d", i, i)); out != fmt.Sprintf("%d\n", i) || code != i {
				t.Errorf("%q %q %d", out, errs, code)
			}
		})
	}
	all.Wait()
	with("", nil, "-S", path, "-O", "exit", "web1@127.0.0.1")
	_ = master.Wait()
	if now := len(r.sessions(t)); now != before+1 {
		t.Errorf("%d sessions more", now-before)
	}
}

// signals: that a process was ended by one is told.
func signals(t *testing.T, c *ssh.Client) {
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := s.Run("echo up; kill -TERM $$"); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("%v", err)
	}
}

// gitOverSSH clones and pushes.
func gitOverSSH(t *testing.T, r *sshRig, token string) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "safe.directory=*"}, args...)...)
		ssh := r.command(context.Background(), token, "ssh", "-p", fmt.Sprint(r.port))
		cmd.Env = append(ssh.Env, "GIT_SSH_COMMAND="+strings.Join(ssh.Args, " "), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir)
		var all bytes.Buffer
		cmd.Stdout, cmd.Stderr = &all, &all
		if err := cmd.Run(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, &all)
		}
	}
	git("init", "-q", "--bare", dir+"/far")
	git("init", "-q", dir+"/near")
	if err := os.WriteFile(dir+"/near/f", bytes.Repeat([]byte("content\n"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	git("-C", dir+"/near", "add", "f")
	git("-C", dir+"/near", "commit", "-q", "-m", "first")
	git("-C", dir+"/near", "push", "-q", "web1@127.0.0.1:"+dir+"/far", "HEAD:refs/heads/x")
	git("clone", "-q", "-b", "x", "web1@127.0.0.1:"+dir+"/far", dir+"/again")
	if b, err := os.ReadFile(dir + "/again/f"); err != nil || len(b) != 800_000 {
		t.Errorf("%d %v", len(b), err)
	}
	if text := r.replayAll(t, ""); !strings.Contains(text, "git-receive-pack") || !strings.Contains(text, "git-upload-pack") {
		t.Error("the record does not say what git did")
	}
}

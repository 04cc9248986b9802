package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestSSHSpeed measures scp through the gateway and directly, and a keystroke's way there and back; it asserts little, since
// the machine has other work. DRAGOMAN_SSH_MB is how much is copied.
func TestSSHSpeed(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	mb := 32
	if n := os.Getenv("DRAGOMAN_SSH_MB"); n != "" {
		fmt.Sscan(n, &mb)
	}
	dir := t.TempDir()
	data := make([]byte, mb<<20)
	rand.Read(data)
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, data, 0o600); err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(dir, "known")
	if err := os.WriteFile(known, fmt.Appendf(nil, "[127.0.0.1]:%d %s\n", r.sshd.Port, r.sshd.HostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	took := func(what string, f func() (string, string, int)) time.Duration {
		began := time.Now()
		if out, errs, code := f(); code != 0 {
			t.Fatal(what, out, errs, code)
		}
		return time.Since(began)
	}
	direct := func(args ...string) func() (string, string, int) {
		return func() (string, string, int) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			return output(t, exec.CommandContext(ctx, "scp", append([]string{"-q", "-F", "none", "-o", "UserKnownHostsFile=" + known, "-o", "IdentitiesOnly=yes", "-i", r.sshd.Key, "-P", fmt.Sprint(r.sshd.Port)}, args...)...), "")
		}
	}
	through := func(args ...string) func() (string, string, int) {
		return func() (string, string, int) {
			return r.program(token, "scp", append([]string{"-q", "-P", fmt.Sprint(r.port)}, args...)...)
		}
	}
	a := took("up direct", direct(big, r.sshd.User+"@127.0.0.1:"+dir+"/a"))
	b := took("up", through(big, "web1@127.0.0.1:"+dir+"/b"))
	c := took("down direct", direct(r.sshd.User+"@127.0.0.1:"+dir+"/a", dir+"/c"))
	d := took("down", through("web1@127.0.0.1:"+dir+"/a", dir+"/d"))
	t.Logf("scp of %d MiB: up %v direct, %v through (%.2f×); down %v direct, %v through (%.2f×)", mb, a, b, a.Seconds()/b.Seconds(), c, d, c.Seconds()/d.Seconds())
	t.Logf("a key there and back: %v through, p50", echoTime(t, r.dial(token)))
}

// echoTime is the median time in which a byte comes back from cat on a terminal.
func echoTime(t *testing.T, c *ssh.Client) time.Duration {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("stty raw; echo ready; exec cat"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	for text := ""; len(text) < 6; {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		text += string(buf[:n])
	}
	time.Sleep(100 * time.Millisecond)
	var all []time.Duration
	for range 200 {
		began := time.Now()
		if _, err := in.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(buf); err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

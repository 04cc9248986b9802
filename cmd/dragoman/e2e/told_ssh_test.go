package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/sftpwire"
)

// dial is a connection to the box.
func (g *told) dial(t *testing.T) *ssh.Client {
	pub, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "ssh_host_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.ports["box"]), &ssh.ClientConfig{User: "box", Auth: []ssh.AuthMethod{ssh.Password(g.token)},
		HostKeyCallback: ssh.FixedHostKey(key), Timeout: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// lastNotice is what programs are told last, and before that.
func lastNotice(t *testing.T, text string) (last, before notice.Notice) {
	t.Helper()
	for at := strings.Index(text, notice.Prefix+"{"); at >= 0; {
		text = text[at:]
		if n, ok := notice.Parse(text); ok {
			last, before = n, last
		}
		if at = strings.Index(text[1:], notice.Prefix+"{"); at >= 0 {
			at++
		}
	}
	return last, before
}

func (g *told) exec(t *testing.T) {
	c := g.dial(t)
	of := func(command string) string {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var errs syncBuffer
		s.Stderr = &errs
		var exit *ssh.ExitError
		if err := s.Run(command); !errors.As(err, &exit) || exit.ExitStatus() != 126 {
			t.Errorf("%s: %v", command, err)
		}
		return errs.String()
	}
	g.blocked(t, "exec", g.parsed(t, "exec", of("rm -f /nonexistent/x")))
	denied, held := lastNotice(t, of("touch /nonexistent/x"))
	g.asked(t, "exec", notice.Denied, denied)
	g.asked(t, "exec", notice.Held, held)
}

func (g *told) shell(t *testing.T) {
	r := &sshRig{gateway: g.gateway}
	m := r.terminal(t, g.dial(t))
	m.keys("PS1='> '\r")
	m.keys("echo one$((1+1))\r")
	m.await("one2\r\n")
	screen := func(code string) (last, before notice.Notice) {
		await(t, func() bool {
			last, before = lastNotice(t, strings.NewReplacer("\r\n", "\n", "\r", "").Replace(m.out.String()))
			return last.Code == code
		}, func() string { return fmt.Sprintf("%s on the screen %q", code, m.out.String()) })
		return last, before
	}
	m.keys("rm -f /nonexistent/x\r")
	blocked, _ := screen(notice.Blocked)
	g.blocked(t, "shell", blocked)
	m.keys("touch /nonexistent/x\r")
	denied, held := screen(notice.Denied)
	g.asked(t, "shell", notice.Denied, denied)
	g.asked(t, "shell", notice.Held, held)
}

func (g *told) sftp(t *testing.T) {
	r := newRawSFTP(t, g.dial(t))
	of := func(q sftpwire.Request) notice.Notice {
		res := r.do(q)
		if res.Type != sftpwire.Status || res.Code != sftpwire.PermissionDenied {
			t.Errorf("%+v", res)
		}
		return g.parsed(t, "SFTP", res.Words)
	}
	g.blocked(t, "SFTP", of(sftpwire.Request{Type: sftpwire.Remove, Path: "/nonexistent/x"}))
	g.asked(t, "SFTP", notice.Denied, of(sftpwire.Request{Type: sftpwire.Mkdir, Path: "/tmp/never-made"}))
}

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/sftpwire"
)

// dial is a client of x/crypto/ssh with a token.
func (r *sshRig) dial(token string) *ssh.Client {
	r.t.Helper()
	keys := r.keys
	if keys == "" {
		keys = filepath.Join(r.dir, "data", "keys")
	}
	pub, err := os.ReadFile(filepath.Join(keys, "ssh_host_ed25519.pub"))
	if err != nil {
		r.t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(pub)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), &ssh.ClientConfig{User: "web1", Auth: []ssh.AuthMethod{ssh.Password(token)},
		HostKeyCallback: ssh.FixedHostKey(key), Timeout: 10 * time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// terminal is an interactive shell with a terminal.
type terminal struct {
	t    *testing.T
	s    *ssh.Session
	in   io.WriteCloser
	out  syncBuffer
	done chan error
}

func (r *sshRig) terminal(t *testing.T, c *ssh.Client) *terminal {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, s: s, done: make(chan error, 1)}
	s.Stdout, s.Stderr = &term.out, &term.out
	if term.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	go func() { term.done <- s.Wait() }()
	return term
}

func (m *terminal) keys(s string) {
	m.t.Helper()
	for _, k := range []byte(s) { // as they are typed
		if _, err := m.in.Write([]byte{k}); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *terminal) await(what string) {
	m.t.Helper()
	await(m.t, func() bool { return strings.Contains(m.out.String(), what) }, func() string { return fmt.Sprintf("%q in %q", what, m.out.String()) })
}

func await(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	for range 1200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what())
}

// TestSSHShell: lines of a terminal are judged, one that is blocked is taken back, and the replay shows it all.
func TestSSHShell(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	client := r.dial(token)
	m := r.terminal(t, client)
	m.keys("PS1='> '\r")
	m.keys("echo one$((1+1))\r")
	m.await("one2\r\n")
	m.keys("rm -f /nonexistent/x; echo not-$((2+2))\r")
	m.await("nothing is removed here")
	m.keys("echo three$((3+3))\r")
	m.await("three6\r\n")
	if strings.Contains(m.out.String(), "not-4") {
		t.Fatalf("a blocked line has run: %q", m.out.String())
	}
	if err := m.s.WindowChange(50, 132); err != nil {
		t.Fatal(err)
	}
	// What is typed may overtake the size: in the protocol's library, requests and data are two queues.
	await(t, func() bool {
		m.keys("stty size\r")
		return strings.Contains(m.out.String(), "50 132")
	}, func() string { return fmt.Sprintf("the size in %q", m.out.String()) })
	m.keys("echo thre\x7fx\x1b[D\x1b[C; exit 5\r")
	select {
	case err := <-m.done:
		if exit, ok := err.(*ssh.ExitError); !ok || exit.ExitStatus() != 5 {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("it does not end: %q", m.out.String())
	}
	client.Close()
	ids := r.sessions(t)
	text := r.must("sessions", "replay", ids[0])
	if played := r.must("sessions", "replay", "--format", "terminal", ids[0]); !strings.Contains(played, "one2") {
		t.Errorf("played:\n%s", played)
	}
	if !strings.Contains(text, "blocked") || !strings.Contains(text, "echo one$((1+1))") {
		t.Errorf("the replay:\n%s", text)
	}
	cast := r.must("sessions", "export", "--format", "asciicast", ids[0])
	lines := strings.Split(strings.TrimSpace(cast), "\n")
	var head struct{ Version, Width, Height int }
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Version != 2 || head.Width != 80 || head.Height != 24 {
		t.Fatalf("%v %s", err, lines[0])
	}
	if !strings.Contains(cast, "one2") || !strings.Contains(cast, `"r","132x50"`) {
		t.Errorf("the cast:\n%s", cast)
	}
}

// TestSSHExecOnly: no shell, no terminal; commands run.
func TestSSHExecOnly(t *testing.T) {
	r := newSSH(t, sshSetup{ssh: "exec_only: true"})
	token := r.token("ops")
	if out, errs, code := r.ssh(token, "id\n"); code != 126 || out != "" || !strings.Contains(errs, "no interactive shells") {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if out, _, code := r.ssh(token, "", "echo yes"); out != "yes\n" || code != 0 {
		t.Errorf("%q %d", out, code)
	}
}

// TestSSHPipedShell: a shell without a terminal reads its script line by line, and nothing of a blocked line runs.
func TestSSHPipedShell(t *testing.T) {
	r := newSSH(t, sshSetup{})
	dir := t.TempDir()
	keep := filepath.Join(dir, "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, _ := r.ssh(r.token("ops"), "echo a\nfor i in 1 2; do\necho $i\ndone\nrm "+keep)
	if !strings.Contains(out, "a\n1\n2\n") || !strings.Contains(errs, "nothing is removed") {
		t.Errorf("%q %q", out, errs)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error("the blocked last line has run")
	}
}

// TestSSHHold: a command waits for people, runs once it is approved, and is withdrawn when the client goes.
func TestSSHHold(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	file := filepath.Join(t.TempDir(), "made")
	hold := func() string {
		var id string
		await(t, func() bool {
			var page struct{ Holds []struct{ ID, State string } }
			out := r.must("approvals", "list", "--json")
			if json.Unmarshal([]byte(out), &page) != nil {
				_ = json.Unmarshal([]byte(out), &page.Holds)
			}
			for _, h := range page.Holds {
				if h.State == "pending" {
					id = h.ID
				}
			}
			return id != ""
		}, func() string { return "a hold in " + r.must("approvals", "list", "--json") })
		return id
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := r.command(ctx, token, "ssh", "-p", fmt.Sprint(r.port), "web1@127.0.0.1", "touch "+file)
	var errs syncBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := hold()
	await(t, func() bool { return strings.Contains(errs.String(), "held for approval ("+id+")") }, errs.String)
	if _, err := os.Stat(file); err == nil {
		t.Fatal("it has run before it was approved")
	}
	r.must("approvals", "approve", id, "--as", "user:boss@example.com", "--group", "leads")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, errs.String())
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatal("it has not run")
	}
	// Whoever goes withdraws.
	gone := r.command(ctx, token, "ssh", "-p", fmt.Sprint(r.port), "web1@127.0.0.1", "touch "+file+"2")
	if err := gone.Start(); err != nil {
		t.Fatal(err)
	}
	id = hold()
	gone.Process.Kill()
	_ = gone.Wait()
	await(t, func() bool {
		return strings.Contains(r.must("approvals", "list", "--state", "withdrawn", "--json"), `"withdrawn"`)
	}, func() string {
		return "a withdrawn hold in " + r.must("approvals", "list", "--state", "withdrawn", "--json")
	})
	if _, _, code := r.run("approvals", "approve", id, "--as", "user:boss@example.com", "--group", "leads"); code == 0 {
		t.Error("a withdrawn hold was approved")
	}
	// So does a signal that would end the command; its connection goes on.
	c := r.dial(token)
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("touch " + file + "3"); err != nil {
		t.Fatal(err)
	}
	id = hold()
	if err := s.Signal(ssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 126 {
		t.Errorf("%v", err)
	}
	if _, _, code := r.run("approvals", "approve", id, "--as", "user:boss@example.com", "--group", "leads"); code == 0 {
		t.Error("a hold that a signal withdrew was approved")
	}
	if out, err := run(c, "echo on"); err != nil || out != "on\n" {
		t.Errorf("%q %v", out, err)
	}
}

// TestSSHForward: forwarded connections are refused, and judged where the target says so.
func TestSSHForward(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	off := newSSH(t, sshSetup{})
	if c, err := off.dial(off.token("ops")).Dial("tcp", echo.Addr().String()); err == nil {
		c.Close()
		t.Error("forwarded, though it is off")
	}
	on := newSSH(t, sshSetup{ssh: "forward: true", rules: sshRules + `- {name: not-there, verdict: block, when: {kinds: [forward], features: {}, verbs: [listen]}}` + "\n"})
	c := on.dial(on.token("ops"))
	conn, err := c.Dial("tcp", echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q %v", got, err)
	}
	conn.Close()
	if l, err := c.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
		t.Error("a port of the target is open, though a rule blocks it")
	}
	// X11 and agent forwarding are refused.
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x11-req", "auth-agent-req@openssh.com"} {
		if ok, _ := s.SendRequest(name, true, binary.BigEndian.AppendUint32(nil, 0)); ok {
			t.Error(name, "was granted")
		}
	}
	s.Close()
	c.Close()
	if text := on.replayAll(t, ""); !strings.Contains(text, "connect "+echo.Addr().String()) || !strings.Contains(text, "hello") {
		t.Errorf("the record:\n%s", text)
	}
}

// TestSSHRevoked: a revoked token ends the session at once, and the client hears why.
func TestSSHRevoked(t *testing.T) {
	r := newSSH(t, sshSetup{})
	m := r.terminal(t, r.dial(r.token("ops")))
	m.keys("echo up$((1+1))\r")
	m.await("up2")
	id := regexp.MustCompile(`tok_[0-9A-Z]{26}`).FindString(r.must("token", "list", "--json"))
	r.must("token", "revoke", id)
	m.await("revoked")
	select {
	case <-m.done:
	case <-time.After(60 * time.Second):
		t.Fatal("it goes on")
	}
}

// TestSSHMask: what detectors find leaves masked, by exec, in a terminal, and in files; the record has it masked, too.
func TestSSHMask(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "people.csv")
	secret := "4111 1111 1111 1111"
	content := bytes.Repeat([]byte("name,carol@example.com,"+secret+"\n"), 5000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newSSH(t, sshSetup{rules: "rules:" + strings.ReplaceAll(sshRules, "\n- ", "\n  - ") + "\nmasks:\n  - {name: pii, detectors: [email, card]}\n"})
	token := r.token("ops")
	out, errs, code := r.ssh(token, "", "cat "+file+"; printf 'bob@exa'; sleep 0.3; printf 'mple.com'")
	if code != 0 || strings.Contains(out, "carol@") || strings.Contains(out, "1111 1111") || strings.Contains(out, "bob@") || strings.Count(out, "name,") != 5000 {
		t.Fatalf("%d %.300q %q", code, out, errs)
	}
	client := r.dial(token)
	m := r.terminal(t, client)
	m.keys("cat " + file + "\rexit\r")
	<-m.done
	client.Close()
	if s := m.out.String(); strings.Contains(s, "carol@") || strings.Contains(s, "1111 1111") {
		t.Errorf("the terminal shows %.300q", s)
	}
	local := filepath.Join(dir, "got")
	if _, errs, code := r.sftp(token, "get "+file+" "+local+"\n"); code != 0 {
		t.Fatal(errs)
	}
	got, err := os.ReadFile(local)
	if err != nil || len(got) != len(content) || bytes.Contains(got, []byte("carol@")) || bytes.Contains(got, []byte("1111 1111")) {
		t.Errorf("%v, %d bytes: %.200q", err, len(got), got)
	}
	// Names hold values, too: of files, and what links hold.
	folder := filepath.Join(dir, "names")
	for _, err := range []error{os.Mkdir(folder, 0o700), os.WriteFile(folder+"/dave@example.com.txt", nil, 0o600), os.WriteFile(folder+"/plain", nil, 0o600),
		os.Symlink("dave@example.com.txt", folder+"/link")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code = r.sftp(token, "ls -1 "+folder+"\nls -l "+folder+"\n")
	if code != 0 || strings.Contains(out, "dave@") || strings.Count(out, "plain") != 2 || strings.Count(out, "**************") < 2 {
		t.Errorf("%d %q %q", code, out, errs)
	}
	second := r.dial(token)
	files := newRawSFTP(t, second)
	for _, kind := range []byte{sftpwire.Readlink, sftpwire.Realpath} {
		if res := files.do(sftpwire.Request{Type: kind, Path: folder + "/link"}); res.Type != sftpwire.Name || strings.Contains(res.Names[0], "dave@") || !strings.Contains(res.Names[0], "****") {
			t.Errorf("%d: %+v", kind, res)
		}
	}
	files.in.Close()
	second.Close() // the replay waits for the end of all sessions
	if text := r.replayAll(t, token); strings.Contains(text, "carol@") || strings.Contains(text, "1111 1111") {
		t.Error("the record has what was masked")
	}
}

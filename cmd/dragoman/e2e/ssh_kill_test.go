package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/sftpwire"
)

// TestSSHKill kills Envoy, dragoman or both under load. For every command that the target ran, and every folder that it made by SFTP,
// there must be a frame.
func TestSSHKill(t *testing.T) {
	for _, durability := range []string{"write", "fsync"} {
		t.Run(durability, func(t *testing.T) {
			r := newSSH(t, sshSetup{target: "audit: {durability: " + durability + "}"})
			ran := filepath.Join(t.TempDir(), "ran")
			token := r.token("ops")
			stop := make(chan struct{})
			var load sync.WaitGroup
			var answered atomic.Int64
			for w := range 3 {
				load.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						if r.try(token, fmt.Sprintf("echo k-%d-%d >> %s", w, n, ran)) == nil {
							answered.Add(1)
						}
					}
				})
			}
			folders := t.TempDir()
			load.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						_ = r.tryMkdir(token, fmt.Sprintf("%s/k-9-%d", folders, n))
					}
				}
			})
			rounds := 3
			if killRounds() > 20 {
				rounds = (killRounds() + 1) / 2
			}
			for round := range rounds {
				before := answered.Load()
				waitUntil(t, 60*time.Second, "commands are answered", func() bool { return answered.Load() > before+5 })
				strike(t, r.gateway, round%3)
			}
			before := answered.Load()
			waitUntil(t, 60*time.Second, "commands are answered at the end", func() bool { return answered.Load() > before+5 })
			close(stop)
			load.Wait()
			b, err := os.ReadFile(ran)
			if err != nil {
				t.Fatal(err)
			}
			seen := markers(t, b)
			made, err := os.ReadDir(folders)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range made {
				seen[d.Name()] = true
			}
			missing := unrecorded(t, r.kept, seen)
			r.stop()
			r.must("audit", "verify")
			t.Logf("%s: %d rounds, %d commands ran, %d folders were made, %d without a frame", durability, rounds, len(seen)-len(made), len(made), len(missing))
			if len(seen) < 20 || len(made) == 0 {
				t.Errorf("only %d ran, %d folders", len(seen), len(made))
			}
		})
	}
}

// try runs a command on a connection of its own; errors are expected.
func (r *sshRig) try(token, command string) error {
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), &ssh.ClientConfig{User: "web1", Auth: []ssh.AuthMethod{ssh.Password(token)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 5 * time.Second})
	if err != nil {
		time.Sleep(20 * time.Millisecond)
		return err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	return s.Run(command)
}

// tryMkdir makes a folder by SFTP on a connection of its own; errors are expected.
func (r *sshRig) tryMkdir(token, path string) error {
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), &ssh.ClientConfig{User: "web1", Auth: []ssh.AuthMethod{ssh.Password(token)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 5 * time.Second})
	if err != nil {
		time.Sleep(20 * time.Millisecond)
		return err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	in, err := s.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.RequestSubsystem("sftp"); err != nil {
		return err
	}
	mkdir := sftpwire.Request{Type: sftpwire.Mkdir, ID: 1, Path: path, Rest: []byte{0, 0, 0, 0}}
	if _, err := in.Write(append(sftpwire.InitPacket(), mkdir.Encode()...)); err != nil {
		return err
	}
	var f sftpwire.Framer
	for answers := 0; answers < 2; { // the version, the status
		n, err := out.Read(f.Room(4096))
		f.Filled(n)
		if err != nil {
			return err
		}
		for p, err := f.Next(); p != nil || err != nil; p, err = f.Next() {
			if answers++; err != nil {
				return err
			}
		}
	}
	return nil
}

// TestSSHClientCertificate: the certificate that Envoy verified proves who it is, without a token.
func TestSSHClientCertificate(t *testing.T) {
	ca := newAuthority(t, "clients and servers")
	server, client := ca.issue("gateway", "localhost", "127.0.0.1"), ca.issue("bot", "spiffe://example.org/agent/bot")
	r := newSSH(t, sshSetup{target: "tls: {client: {cert: gw.crt, key: gw.key, client_ca: ca.crt, required: true}}\nallow_cleartext: false",
		top:   "identity:\n  spiffe:\n    - name: example.org\n      groups: [ops]\n",
		files: map[string]string{"gw.crt": server.Cert, "gw.key": server.Key, "ca.crt": ca.PEM}})
	login := func(pair tls.Certificate) (string, error) {
		raw, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), &tls.Config{RootCAs: ca.pool(), ServerName: "localhost", Certificates: []tls.Certificate{pair}})
		if err != nil {
			return "", err
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(60 * time.Second))
		conn, chans, reqs, err := ssh.NewClientConn(raw, "web1", &ssh.ClientConfig{User: "web1", HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		if err != nil {
			return "", err
		}
		c := ssh.NewClient(conn, chans, reqs)
		defer c.Close()
		s, err := c.NewSession()
		if err != nil {
			return "", err
		}
		out, err := s.Output("echo in")
		return string(out), err
	}
	if out, err := login(client.pair(t)); err != nil || out != "in\n" {
		t.Fatalf("%q %v\n%s", out, err, r.log)
	}
	if out, err := login(newAuthority(t, "another").issue("x", "spiffe://example.org/agent/bot").pair(t)); err == nil {
		t.Errorf("a certificate of another CA: %q", out)
	}
	if err := r.try(r.token("ops"), "id"); err == nil {
		t.Error("without TLS")
	}
	if text := r.replayAll(t, ""); !strings.Contains(text, "spiffe") {
		t.Errorf("the record:\n%.2000s", text)
	}
}

// TestSSHMany: many sessions at a time, each with its own answers.
func TestSSHMany(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	const connections, channels = 10, 4
	var all sync.WaitGroup
	var wrong atomic.Int64
	for i := range connections {
		c := r.dial(token)
		for k := range channels {
			all.Go(func() {
				s, err := c.NewSession()
				if err != nil {
					wrong.Add(1)
					return
				}
				defer s.Close()
				want := fmt.Sprintf("%d-%d\n", i, k)
				if out, err := s.Output("echo " + strings.TrimSpace(want)); err != nil || string(out) != want {
					t.Logf("%q %v", out, err)
					wrong.Add(1)
				}
			})
		}
	}
	all.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d went wrong", n, connections*channels)
	}
}

package sshserver

import (
	"context"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestStart(t *testing.T) {
	s, err := Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	b, err := os.ReadFile(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", s.Address(), &ssh.ClientConfig{User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run.Output("echo hello"); err != nil || string(out) != "hello\n" {
		t.Errorf("%q %v", out, err)
	}
}

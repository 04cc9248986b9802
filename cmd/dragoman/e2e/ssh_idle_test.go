package e2e

import (
	"io"
	"strings"
	"testing"
)

// TestSSHIdle: a shell at which nobody types ends; a command that says nothing for longer than that goes on.
func TestSSHIdle(t *testing.T) {
	r := newSSH(t, sshSetup{target: "limits: {idle_timeout: 1s}"})
	c := r.dial(r.token("ops"))
	if out, err := run(c, "sleep 3; echo still here"); err != nil || out != "still here\n" {
		t.Errorf("a command: %q %v", out, err)
	}
	c = r.dial(r.token("ops"))
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	errs := must(s.StderrPipe())
	if _, err := s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(errs) // until the connection ends
	if !strings.Contains(string(said), "idle for too long") {
		t.Errorf("%q\n%s", said, r.log)
	}
}

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/bench/proc"
)

// held is a session that stays open, with a cat on the target.
type held struct {
	c   *ssh.Client
	in  io.WriteCloser
	out *bufio.Reader
}

func (r *sshRig) hold(token string) (*held, error) {
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), &ssh.ClientConfig{User: "web1", Auth: []ssh.AuthMethod{ssh.Password(token)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	s, err := c.NewSession()
	if err != nil {
		c.Close()
		return nil, err
	}
	h := &held{c: c}
	if h.in, err = s.StdinPipe(); err == nil {
		var out io.Reader
		if out, err = s.StdoutPipe(); err == nil {
			h.out = bufio.NewReader(out)
			err = s.Start("exec cat")
		}
	}
	if err != nil {
		c.Close()
	}
	return h, err
}

// answers reports whether a line comes back.
func (h *held) answers(line string) error {
	if _, err := fmt.Fprintln(h.in, line); err != nil {
		return err
	}
	got, err := h.out.ReadString('\n')
	if err == nil && got != line+"\n" {
		err = fmt.Errorf("%q came back as %q", line, got)
	}
	return err
}

// TestSSHManySessions: sessions that are all open at the same time and all answer, and what each costs: 40, or DRAGOMAN_SSH_SESSIONS.
func TestSSHManySessions(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DRAGOMAN_SSH_SESSIONS"))
	if err != nil || n < 1 {
		n = 40
	}
	r := newSSH(t, sshSetup{target: "limits: {login_timeout: 2m, connect_timeout: 2m}"}) // the target's processes share the machine
	token := r.token("ops")
	first, err := r.hold(token) // what is needed once is there before anything is measured
	if err != nil {
		t.Fatal(err)
	}
	defer first.c.Close()
	gateway, envoy := r.cmd.Process.Pid, proc.Child(r.cmd.Process.Pid, "envoy")
	before := [2]int64{rss(t, gateway), rss(t, envoy)}
	began := time.Now()
	all := make([]*held, n)
	eachOf(t, n, 8, func(i int) (err error) {
		all[i], err = r.hold(token)
		return err
	})
	opened := time.Since(began)
	for round := range 3 {
		eachOf(t, n, 16, func(i int) error { return all[i].answers(fmt.Sprintf("line %d of session %d", round, i)) })
	}
	after := [2]int64{rss(t, gateway), rss(t, envoy)}
	if err := r.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // Go prints its goroutines, and ends
		t.Fatal(err)
	}
	<-r.done
	goroutines := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAllString(r.log.String(), -1))
	for _, h := range all {
		h.c.Close()
	}
	per := func(i int) float64 { return float64(after[i]-before[i]) / float64(n) / 1024 }
	t.Logf("%d sessions at a time, opened in %v; a session has %.1f goroutines, %.0f KiB in the bridge, %.0f KiB in Envoy", n, opened.Round(time.Millisecond), float64(goroutines)/float64(n), per(0), per(1))
	if goroutines < n {
		t.Errorf("%d goroutines for %d sessions", goroutines, n)
	}
}

// eachOf does something for each of n, so many at a time.
func eachOf(t *testing.T, n, atATime int, do func(int) error) {
	t.Helper()
	var all sync.WaitGroup
	slots, errs := make(chan struct{}, atATime), make(chan error, n)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := do(i); err != nil {
				errs <- fmt.Errorf("session %d: %w", i, err)
			}
		})
	}
	all.Wait()
	close(errs)
	failed := 0
	for err := range errs {
		if failed++; failed <= 3 {
			t.Error(err)
		}
	}
	if failed > 0 {
		t.Fatalf("%d of %d failed", failed, n)
	}
}

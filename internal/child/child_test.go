package child

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Threads that end take no child with them.
func TestOutlivesOtherThreads(t *testing.T) {
	var children []*Child
	for range 8 {
		c, err := Start(exec.Command("sleep", "60"), syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
		t.Cleanup(func() { c.Signal(syscall.SIGKILL); c.Wait() })
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			runtime.LockOSThread() // returning so ends the thread
			time.Sleep(time.Millisecond)
		})
	}
	all.Wait()
	for _, c := range children {
		select {
		case <-c.Done():
			t.Errorf("a child has ended: %v", c.Wait())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestStartAndEnd(t *testing.T) {
	if _, err := Start(exec.Command("/nonexistent"), syscall.SIGKILL); err == nil {
		t.Error("a program that is not there was started")
	}
	c, err := Start(exec.Command("sleep", "60"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Signal(syscall.SIGTERM); err != nil || c.PID() == 0 {
		t.Error(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("ended by a signal, and no error")
	}
}

func TestEnd(t *testing.T) {
	for script, killed := range map[string]bool{"exec sleep 60": false, "trap '' TERM; echo; while :; do sleep 0.01; done": true} {
		cmd := exec.Command("sh", "-c", script)
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = in
		c, err := Start(cmd, syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		grace := 60 * time.Second
		if killed {
			grace = 300 * time.Millisecond
			if _, err := out.Read(make([]byte, 1)); err != nil { // the trap is set
				t.Fatal(err)
			}
		}
		if got := c.End(syscall.SIGTERM, grace); got != killed {
			t.Errorf("%s: killed %v, want %v", script, got, killed)
		}
		out.Close()
	}
}

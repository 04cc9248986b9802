// Package child starts processes that do not outlive this one.
//
// The kernel sends a child its death signal (prctl PR_SET_PDEATHSIG) when the
// thread that started it ends, not the process. Go ends threads whenever a
// goroutine returns that is locked to one, so a child that is started from any
// thread may be ended at any time. Here each child has a thread of its own,
// which lives as long as the child does.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Child is a process that was started.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd. It gets the signal death when this process ends, however
// that happens. The errors are those of exec.Cmd's Start.
func Start(cmd *exec.Cmd, death syscall.Signal) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = death
	c := &Child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// PID is the number of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Signal sends the process a signal; one that has ended gives os.ErrProcessDone.
func (c *Child) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// Done is closed when the process has ended and its output is read.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait waits for the end and gives what exec.Cmd's Wait gave.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// End asks the process to end with the signal ask, and kills it when it has not
// within grace; killed says so. It returns when the process has ended.
func (c *Child) End(ask syscall.Signal, grace time.Duration) (killed bool) {
	c.Signal(ask)
	select {
	case <-c.done:
		return false
	case <-time.After(grace):
	}
	c.Signal(syscall.SIGKILL)
	<-c.done
	return true
}

// Package localserver is what those share who start real servers on loopback (pgserver, mysqlserver, sshserver and the
// like): a port, a user without rights, programs that this user can run, and a process that says when it is ready. Tests,
// benches and the demo use it; the gateway itself does not.
package localserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
)

// limit is how long a server may take until it is ready: much, for a machine with little to give.
const limit = 2 * time.Minute

// nobody is the user that servers run as when we are root: some of them refuse root.
const nobody = 65534

// Unprivileged are the attributes of a process that runs as nobody when we are root.
func Unprivileged() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return attr
}

// GiveAway makes the user of Unprivileged the owner.
func GiveAway(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, nobody, nobody); err != nil {
			return err
		}
	}
	return nil
}

// Reachable returns home, or a copy of it below dir when the user of Unprivileged cannot run probe, a program below
// home, where it is (a checkout in root's own folder).
func Reachable(home, dir, probe string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(home, probe), args...)
	cmd.SysProcAttr = Unprivileged()
	if cmd.Run() == nil {
		return home, nil
	}
	dst := filepath.Join(dir, "home")
	if out, err := exec.Command("cp", "-a", home, dst).CombinedOutput(); err != nil {
		return "", fmt.Errorf("localserver: copying programs: %w\n%s", err, out)
	}
	return dst, os.Chmod(dir, 0o755)
}

// Start runs cmd, whose words go to the file log, until ready says so. A process that is not ready in time, or ends
// before, is ended; the error has its name and its words. death is what it gets when this process ends.
func Start(ctx context.Context, cmd *exec.Cmd, log string, death syscall.Signal, ready func() bool) (*child.Child, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	c, err := child.Start(cmd, death)
	if err != nil {
		return nil, err
	}
	if err := await(ctx, c, ready); err != nil {
		c.End(death, 10*time.Second)
		words, _ := os.ReadFile(log)
		return nil, fmt.Errorf("localserver: %s: %w\n%s", filepath.Base(cmd.Path), err, words)
	}
	return c, nil
}

func await(ctx context.Context, c *child.Child, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ready() {
		select {
		case <-c.Done():
			return errors.Join(errors.New("it ended"), c.Wait())
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Says is true when the file has a line that contains words.
func Says(log, words string) func() bool {
	return func() bool {
		b, _ := os.ReadFile(log)
		return strings.Contains(string(b), words)
	}
}

// SaysLine is true when the file has just this line.
func SaysLine(log, line string) func() bool {
	return func() bool {
		b, _ := os.ReadFile(log)
		return strings.Contains("\n"+string(b), "\n"+line+"\n")
	}
}

// Answers is true when somebody takes connections there.
func Answers(addr string) func() bool {
	return func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
}

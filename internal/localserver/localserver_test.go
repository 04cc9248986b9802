package localserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain is a process that takes ports when it is asked to.
func TestMain(m *testing.M) {
	if os.Getenv("TAKE_PORTS") == "" {
		os.Exit(m.Run())
	}
	for range 200 {
		port, err := FreePort()
		fmt.Println(port, err)
	}
	bufio.NewReader(os.Stdin).ReadString('\n')
}

func TestFreePort(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TAKE_PORTS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, lines := map[string]bool{}, bufio.NewScanner(out)
	note := func(port string) {
		if seen[port] {
			t.Error("twice: " + port)
		}
		seen[port] = true
	}
	for range 200 {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), " <nil>") {
			t.Fatal(lines.Text())
		}
		note(strings.TrimSuffix(lines.Text(), " <nil>"))
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		note(fmt.Sprint(port))
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStart(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start(t.Context(), exec.Command("sh", "-c", "echo not ready; echo ready; exec sleep 600"), log, syscall.SIGKILL, SaysLine(log, "ready"))
	if err != nil {
		t.Fatal(err)
	}
	if !Says(log, "not ready")() || SaysLine(log, "not")() {
		t.Error("what the log says")
	}
	c.End(syscall.SIGKILL, 0)
	if _, err = Start(t.Context(), exec.Command("sh", "-c", "echo the port is taken; exit 3"), log, syscall.SIGKILL, func() bool { return false }); err == nil ||
		!strings.Contains(err.Error(), "sh: it ended\nexit status 3\nthe port is taken") {
		t.Error(err)
	}
}

// The user without rights gets programs that only root could reach.
func TestReachable(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	script := []byte("#!/bin/sh\nexit 0\n")
	if err := os.WriteFile(filepath.Join(home, "program"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := Reachable(home, dir, "program")
	want := home
	if os.Geteuid() == 0 {
		want = filepath.Join(dir, "home")
	}
	if err != nil || got != want {
		t.Error(got, err)
	}
}

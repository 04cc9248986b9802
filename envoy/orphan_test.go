package envoy_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
)

// In a child process of the tests, TestMain runs a supervisor and nothing else.
const (
	envSuperviseBinary = "ENVOY_TEST_SUPERVISE_BINARY"
	envSuperviseConfig = "ENVOY_TEST_SUPERVISE_CONFIG"
)

func TestMain(m *testing.M) {
	binary := os.Getenv(envSuperviseBinary)
	if binary == "" {
		os.Exit(m.Run())
	}
	err := envoy.Run(context.Background(), envoy.Options{
		Process: envoy.Process{Binary: binary, Bootstrap: os.Getenv(envSuperviseConfig), Concurrency: 1},
		Log:     slog.New(slog.DiscardHandler),
		Started: func(pid int) { fmt.Println(pid) },
	})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestEnvoyDiesWithItsSupervisor(t *testing.T) {
	binary, config, admin := idleEnvoy(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envSuperviseBinary+"="+binary, envSuperviseConfig+"="+config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := admin.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(60 * time.Second); running(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("envoy %d outlived its supervisor", pid)
		}
	}
}

// running is false for what is only waiting to be collected.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

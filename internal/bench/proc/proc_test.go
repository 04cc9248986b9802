package proc

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

func TestCPUGrowsWithWork(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for end := time.Now().Add(30 * time.Millisecond); time.Now().Before(end); n++ {
	}
	after, err := CPU(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("CPU went from %v to %v over %d turns: %v", before, after, n, err)
	}
}

func TestPeakRSSRemembersWhatWasFreed(t *testing.T) {
	pid := os.Getpid()
	if err := ResetPeak(pid); err != nil {
		t.Fatal(err)
	}
	before, err := RSS(pid)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<20)
	for i := range b {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	peak, err := PeakRSS(pid)
	if err != nil || peak-before < 32<<20 {
		t.Errorf("the peak is %d above %d: %v", peak-before, before, err)
	}
}

func TestThreadsAndChild(t *testing.T) {
	threads, err := Threads(os.Getpid())
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads %v: %v", threads, err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if got := Child(os.Getpid(), "sleep"); got != cmd.Process.Pid {
		t.Errorf("child %d, want %d", got, cmd.Process.Pid)
	}
	if got := Child(os.Getpid(), "no-such-command"); got != 0 {
		t.Errorf("found child %d of no such command", got)
	}
}

func TestGoneProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := CPU(cmd.Process.Pid); err == nil {
		t.Error("CPU of a process that has ended is no error")
	}
	if _, err := RSS(cmd.Process.Pid); err == nil {
		t.Error("RSS of a process that has ended is no error")
	}
}

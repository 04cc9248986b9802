// Package proc reads what a process has used: CPU time in nanoseconds and
// resident memory, from the kernel. Linux only.
package proc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the time that all threads of the process have run, those that have ended
// included.
func CPU(pid int) (time.Duration, error) {
	// A process's CPU clock: the inverted pid above three bits, of which
	// 2 is CPUCLOCK_SCHED (Linux, include/linux/posix-timers_types.h).
	clock := int32(^pid<<3 | 2)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Children is the CPU time of all children that have ended and were waited for, in steps of a hundredth of a second.
func Children(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 15 {
		return 0, fmt.Errorf("the status of process %d is cut off", pid)
	}
	ticks := int64(0)
	for _, s := range f[13:15] { // cutime, cstime: fields 16 and 17 (proc(5))
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// RSS is the resident memory now, bytes.
func RSS(pid int) (int64, error) { return status(pid, "VmRSS") }

// PeakRSS is the most resident memory since ResetPeak, bytes.
func PeakRSS(pid int) (int64, error) { return status(pid, "VmHWM") }

// ResetPeak begins a new measurement of PeakRSS.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// status reads a line of /proc/PID/status that is in kB.
func status(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return statusField(string(text), field)
}

func statusField(text, field string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, field+":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		return n * 1024, err
	}
	return 0, fmt.Errorf("no %s in the process's status", field)
}

// Thread is one thread's share.
type Thread struct {
	ID   int
	Name string
	CPU  time.Duration
}

// Threads are those that live now.
func Threads(pid int) ([]Thread, error) {
	dirs, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return nil, err
	}
	var out []Thread
	for _, d := range dirs {
		stat, err1 := os.ReadFile(d + "/schedstat")
		name, err2 := os.ReadFile(d + "/comm")
		if err1 != nil || err2 != nil {
			continue // it ended meanwhile
		}
		ran, _, _ := strings.Cut(string(stat), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("schedstat of thread %s: %w", filepath.Base(d), err)
		}
		id, _ := strconv.Atoi(filepath.Base(d))
		out = append(out, Thread{ID: id, Name: strings.TrimSpace(string(name)), CPU: time.Duration(ns)})
	}
	return out, nil
}

// Child is the first child of the process whose command is of that name, or 0.
func Child(pid int, name string) int {
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, c := range children {
		list, _ := os.ReadFile(c)
		for _, f := range strings.Fields(string(list)) {
			id, _ := strconv.Atoi(f)
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", id)); filepath.Base(exe) == name {
				return id
			}
		}
	}
	return 0
}

// Rest waits until a process uses less than a fortieth of a core: what it had to do in the end is done. The error says that it goes on
// for two minutes.
func Rest(ctx context.Context, pid int) error {
	const look, little = 200 * time.Millisecond, 5 * time.Millisecond
	for range 600 {
		before, err := CPU(pid)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		after, err := CPU(pid)
		if err != nil || after-before < little {
			return err
		}
	}
	return fmt.Errorf("process %d does not come to rest", pid)
}

// Package sysmon calms the monitor thread of Go's runtime.
//
// While threads come back from system calls that took longer than 20 µs, which those on busy sockets and files do, that
// thread sleeps for 20 µs at a time and looks again, over and over: up to a seventh of the CPU of a process that
// copies bytes. With some slack its sleeps end less often.
package sysmon

import (
	"fmt"
	"os"
	"strconv"
)

// slack is by how much the monitor may sleep longer, in ns. It is what takes a processor away from a thread that is stuck in
// a system call, and preempts goroutines that run for longer than 10 ms; both may come later by as much.
const slack = 500_000

// Calm gives the monitor its slack. An error says that this system cannot do so, and costs nothing but the CPU.
func Calm() error {
	tid, err := monitor()
	if err != nil {
		return err
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), strconv.AppendInt(nil, slack, 10), 0)
}

// monitor finds the thread: the first that the runtime makes. The kernel lists threads in the order in which they were made.
func monitor() (int, error) {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(2)
	if err != nil {
		return 0, err
	}
	if len(names) < 2 || names[0] != strconv.Itoa(os.Getpid()) {
		return 0, fmt.Errorf("threads are listed as %q", names)
	}
	return strconv.Atoi(names[1])
}

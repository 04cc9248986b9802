package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"dragoman.dev/dragoman/envoy"
)

// hardware names the processor, the number of cores and the kernel.
func hardware() string {
	return fmt.Sprintf("Envoy %s; %s, %d cores, Linux %s", envoy.Version,
		firstValue("/proc/cpuinfo", "model name"), runtime.NumCPU(), kernel())
}

// firstValue is the value of the first "name : value" line of a file.
func firstValue(path, name string) string {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// kernel is the version without what a distribution appends.
func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	version, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
	return version
}

// loadAverage is that of the last minute.
func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// provenance says on what and how the figures came about.
func provenance(o options, load string) string {
	return fmt.Sprintf("%s; %d rounds of %s each, %d of memory; PostgreSQL %s, pgbench scale %d; %s, load average before the run %s\n",
		time.Now().UTC().Format(time.DateOnly), o.rounds, o.time, o.freshRounds, o.postgres, o.scale, hardware(), load)
}

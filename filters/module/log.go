package main

// #include "abi.h"
import "C"

import (
	"log/slog"
	"strings"
	"unsafe"
)

// Levels of envoy_dynamic_module_type_log_level.
const (
	envoyDebug = 1
	envoyInfo  = 2
	envoyWarn  = 3
	envoyError = 4
)

// newLogger logs into Envoy's own log (logger dynamic_modules), each record as
// one line of JSON, which the supervisor folds into its own.
func newLogger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(envoyLog{}, &slog.HandlerOptions{
		Level: envoyLevel{},
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{} // Envoy's line has it
			}
			return a
		},
	}))
}

// envoyLevel is Envoy's level of the moment: it can be changed while it runs.
type envoyLevel struct{}

func (envoyLevel) Level() slog.Level {
	switch {
	case bool(C.dgm_log_enabled(envoyDebug)):
		return slog.LevelDebug
	case bool(C.dgm_log_enabled(envoyInfo)):
		return slog.LevelInfo
	case bool(C.dgm_log_enabled(envoyWarn)):
		return slog.LevelWarn
	}
	return slog.LevelError
}

// envoyLog takes the lines of slog.JSONHandler, which begin {"level":"…".
type envoyLog struct{}

func (envoyLog) Write(line []byte) (int, error) {
	head := string(line[:min(len(line), 24)])
	level := envoyInfo
	switch {
	case strings.Contains(head, `"DEBUG`):
		level = envoyDebug
	case strings.Contains(head, `"WARN`):
		level = envoyWarn
	case strings.Contains(head, `"ERROR`):
		level = envoyError
	}
	envoyLogLine(level, line)
	return len(line), nil
}

func envoyLogLine(level int, line []byte) {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		return
	}
	C.dgm_log(C.int(level), unsafe.Pointer(&line[0]), C.size_t(len(line)))
}

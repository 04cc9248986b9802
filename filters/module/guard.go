package main

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// panicsCounter is what panics are counted in, below the metrics namespace.
const panicsCounter = "dragoman_panics"

// caught is to be deferred at every crossing from Envoy: it recovers, logs, and
// hands over to then, which closes what panicked.
func caught(where string, then func()) {
	r := recover()
	if r == nil {
		return
	}
	logPanic(where, r)
	if then != nil {
		then()
	}
}

func logPanic(where string, r any) {
	newLogger().Error("panic in a filter", slog.String("where", where),
		slog.String("panic", fmt.Sprint(r)), slog.String("stack", string(debug.Stack())))
}

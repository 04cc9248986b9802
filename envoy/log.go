package envoy

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// logFormat makes Envoy write one line of JSON a message: %j is the message,
// escaped for that.
const logFormat = `{"level":"%l","logger":"%n","source":"%g:%#","message":"%j"}`

// maxLine bounds what is kept of a line; the rest of it is dropped.
const maxLine = 256 << 10

type logLine struct {
	Level   string `json:"level"`
	Logger  string `json:"logger"`
	Source  string `json:"source"`
	Message string `json:"message"`
}

// foldLog reads an Envoy's output to its end and logs it. Lines of our own module
// are slog JSON within Envoy's message; their attributes become attributes again.
// What is not in logFormat (a crash of the Go runtime, glibc) is logged as an error.
func foldLog(r io.Reader, log *slog.Logger) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		for long := err == bufio.ErrBufferFull; long; {
			_, err = in.ReadSlice('\n')
			long = err == bufio.ErrBufferFull
		}
		if len(line) > 0 {
			foldLine(line, log)
		}
		if err != nil {
			return
		}
	}
}

func foldLine(line []byte, log *slog.Logger) {
	ctx := context.Background()
	var l logLine
	if err := json.Unmarshal(line, &l); err != nil || l.Level == "" {
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			log.LogAttrs(ctx, slog.LevelError, string(line), slog.String("logger", "stderr"))
		}
		return
	}
	level := slogLevel(l.Level)
	if !log.Enabled(ctx, level) {
		return
	}
	if l.Logger == "dynamic_modules" && len(l.Message) > 0 && l.Message[0] == '{' {
		if msg, attrs, ok := unfold(l.Message); ok {
			log.LogAttrs(ctx, level, msg, append(attrs, slog.String("logger", "filter"))...)
			return
		}
	}
	log.LogAttrs(ctx, level, l.Message, slog.String("logger", l.Logger))
}

func unfold(message string) (msg string, attrs []slog.Attr, ok bool) {
	var fields map[string]any
	if json.Unmarshal([]byte(message), &fields) != nil {
		return "", nil, false
	}
	for k, v := range fields {
		switch k {
		case slog.MessageKey:
			msg, _ = v.(string)
		case slog.LevelKey:
		default:
			attrs = append(attrs, slog.Any(k, v))
		}
	}
	return msg, attrs, true
}

func slogLevel(envoy string) slog.Level {
	switch envoy {
	case "trace", "debug":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "warning", "warn":
		return slog.LevelWarn
	}
	return slog.LevelError
}

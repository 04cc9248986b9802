package main

import (
	"io"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/replay"
)

// exporter writes a format that For has accepted.
func exporter(format string) func(io.Writer, string, replay.Source) error {
	if format == export.Asciicast {
		return func(w io.Writer, id string, src replay.Source) error { return export.WriteAsciicast(w, id, src) }
	}
	return exporters[format]
}

package replay

import (
	"errors"
	"io"

	"dragoman.dev/dragoman/internal/record"
)

// Visible is text with control and direction characters and invalid bytes shown as escapes, but for line breaks
// and tabs; VisibleLine is on one line.
func Visible(s string) string { return lines(s) }

// VisibleLine is Visible with line breaks and tabs as escapes, too.
func VisibleLine(s string) string { return line(s) }

// Walk gives each frame, and behind a request or response its decoded messages one by one. What the functions get is
// valid during the call. It ends with the source, or with the first error of a function.
func Walk(src Source, frame func(record.Frame) error, message func(record.Frame, Event) error) error {
	var w Walker
	for {
		if err := w.Step(src, frame, message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

package export

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"dragoman.dev/dragoman/internal/record"
)

// Formats of a session's export.
const (
	JSONLines = "jsonl"     // the record, one frame a line
	OCSF      = "ocsf"      // its events, one OCSF event a line
	Asciicast = "asciicast" // what its terminal showed
	HAR       = "har"       // its HTTP exchanges
)

// Formats are all, in the order in which help lists them.
var Formats = []string{JSONLines, OCSF, Asciicast, HAR}

// ErrFormat says that a session cannot be exported in a format.
var ErrFormat = errors.New("not in this format")

// Source gives frames in order; Next ends with io.EOF.
type Source interface {
	Next() (record.Frame, error)
}

// For checks that a session on a target of this protocol can be exported in the format.
func For(format, protocol string) error {
	switch {
	case !slices.Contains(Formats, format):
		return fmt.Errorf("%w: there is no format %q; there are %v", ErrFormat, format, Formats)
	case format == Asciicast && protocol != "ssh" && protocol != "kubernetes": // a session of the API has none either, which shows when it is read
		return fmt.Errorf("%w: this session has no terminal: its protocol is %s; use %s or %s", ErrFormat, protocol, JSONLines, OCSF)
	case format == HAR && protocol != "http":
		return fmt.Errorf("%w: this session has no HTTP exchanges: its protocol is %s; use %s or %s", ErrFormat, protocol, JSONLines, OCSF)
	}
	return nil
}

// Events calls f for each event of a session's record.
func Events(session string, src Source, f func(Event) error) error {
	a := NewAssembler(session)
	for {
		frame, err := src.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range a.Add(frame) {
			if err := f(e); err != nil {
				return err
			}
		}
	}
}

// Package sse takes event streams apart (WHATWG HTML, section 9.2, "Server-sent
// events"), event by event, and masks their data.
package sse

import (
	"bytes"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// DefaultEvent is how many bytes an event may have.
const DefaultEvent = 4 << 20

// lineCost is what a line counts beside its bytes, so that many empty ones are bounded as well.
const lineCost = 32

// Event is one event. Its bytes are borrowed until the next one.
type Event struct {
	Type, ID, Retry []byte
	HasID, HasRetry bool
	Data            []byte // lines joined with a line feed
	HasData         bool
	Comments        [][]byte
	// Open says that the stream ended before the event did; clients drop it.
	Open bool
}

// Append appends the event in its plainest form, with the blank line that ends it.
func (e *Event) Append(dst []byte) []byte {
	for _, c := range e.Comments {
		dst = append(append(append(dst, ':'), c...), '\n')
	}
	if e.Type != nil {
		dst = field(dst, "event", e.Type)
	}
	if e.HasID {
		dst = field(dst, "id", e.ID)
	}
	if e.HasRetry {
		dst = field(dst, "retry", e.Retry)
	}
	if e.HasData {
		for line := range bytes.SplitSeq(e.Data, []byte("\n")) {
			dst = field(dst, "data", line)
		}
	}
	if e.Open {
		return dst
	}
	return append(dst, '\n')
}

// empty reports whether there is nothing in it that a client knows.
func (e *Event) empty() bool {
	return !e.HasData && !e.HasID && !e.HasRetry && e.Type == nil && len(e.Comments) == 0
}

func field(dst []byte, name string, value []byte) []byte {
	dst = append(append(dst, name...), ':', ' ')
	for _, b := range value {
		if b != '\r' && b != '\n' { // there are none, unless a mask made them
			dst = append(dst, b)
		}
	}
	return append(dst, '\n')
}

// Decoder takes a stream apart, in whatever pieces it comes.
type Decoder struct {
	limit int
	size  int // bytes of the event so far
	line  []byte
	cr    bool // the last byte was a CR: an LF behind it belongs to it
	first bool // a line has been read: no byte order mark any more
	event Event
	any   bool
	err   error
}

// NewDecoder bounds events to limit bytes, 0 for DefaultEvent.
func NewDecoder(limit int) *Decoder {
	if limit <= 0 {
		limit = DefaultEvent
	}
	return &Decoder{limit: limit}
}

// Write takes the next piece, which is not kept, and gives each event to do.
func (d *Decoder) Write(piece []byte, do func(*Event) error) error {
	for len(piece) > 0 && d.err == nil {
		if d.cr {
			if d.cr = false; piece[0] == '\n' {
				piece = piece[1:]
				continue
			}
		}
		i := bytes.IndexAny(piece, "\r\n")
		if i < 0 {
			d.grow(piece)
			break
		}
		d.grow(piece[:i])
		d.cr = piece[i] == '\r'
		piece = piece[i+1:]
		if d.err == nil {
			d.err = d.endLine(do)
		}
	}
	return d.err
}

// Close ends the stream; what there is of an event is given to do with Open set.
func (d *Decoder) Close(do func(*Event) error) error {
	if d.err != nil {
		return d.err
	}
	if len(d.line) > 0 {
		d.readLine()
	}
	var err error
	if d.any && !d.event.empty() {
		d.event.Open = true
		err = do(&d.event)
	}
	d.err = refusal.New(refusal.State, "the event stream has ended")
	return err
}

func (d *Decoder) grow(b []byte) {
	if d.size += len(b); d.size > d.limit {
		d.err = refusal.New(refusal.TooLarge, "an event has more than %d bytes", d.limit)
		return
	}
	d.line = append(d.line, b...)
}

func (d *Decoder) endLine(do func(*Event) error) error {
	if len(d.line) > 0 {
		d.readLine()
		d.size += lineCost
		return nil
	}
	d.first = true
	if !d.any {
		d.size = 0
		return nil
	}
	var err error
	if !d.event.empty() {
		err = do(&d.event)
	}
	d.event, d.any, d.size = Event{Data: d.event.Data[:0]}, false, 0
	return err
}

func (d *Decoder) readLine() {
	line := d.line
	if !d.first {
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
		d.first = true
	}
	d.any = true
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	e := &d.event
	switch string(name) {
	case "":
		if len(line) > 0 {
			e.Comments = append(e.Comments, bytes.Clone(line[1:]))
		}
	case "event":
		e.Type = bytes.Clone(value)
	case "id":
		e.ID, e.HasID = bytes.Clone(value), true
	case "retry":
		e.Retry, e.HasRetry = bytes.Clone(value), true
	case "data":
		if e.HasData {
			e.Data = append(e.Data, '\n')
		}
		e.Data, e.HasData = append(e.Data, value...), true
	}
	d.line = d.line[:0]
}

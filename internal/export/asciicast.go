package export

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
)

// castHead is the first line of an asciicast v2 file (asciinema's "asciicast v2"); the other
// lines are [seconds, code, data]: "o" output, "i" input, "r" a new size.
type castHead struct {
	Version   int               `json:"version"`
	Width     uint32            `json:"width"`
	Height    uint32            `json:"height"`
	Timestamp int64             `json:"timestamp"`
	Title     string            `json:"title,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

// WriteAsciicast writes the first terminal of a session. A session without one is ErrFormat, after all of it
// has been read.
func WriteAsciicast(w io.Writer, session string, src Source) error {
	c := caster{w: bufio.NewWriter(w), title: session}
	c.enc = json.NewEncoder(c.w)
	c.enc.SetEscapeHTML(false)
	for {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = c.frame(f)
		}
		if err != nil {
			return errors.Join(err, c.w.Flush())
		}
	}
	if c.channel == 0 {
		return fmt.Errorf("%w: this session has no terminal; use %s or %s", ErrFormat, JSONLines, OCSF)
	}
	return c.w.Flush()
}

type caster struct {
	w       *bufio.Writer
	enc     *json.Encoder
	title   string
	channel uint32 // of the terminal; 0: not seen yet
	began   time.Time
	cut     map[string][]byte // bytes of a character that is cut off, by code
}

func (c *caster) frame(f record.Frame) error {
	if f.Kind != record.KindRequest && f.Kind != record.KindResponse {
		return nil
	}
	m, err := sshwire.Parse(f.Payload)
	if err != nil || c.channel != 0 && m.Channel != c.channel {
		return nil // not of this terminal
	}
	if c.channel == 0 {
		if m.Request == "pty-req" {
			return c.begin(f.Time, m)
		}
		return nil
	}
	switch {
	case m.Number == sshwire.MsgData && f.Kind == record.KindRequest:
		return c.text(f.Time, "i", m.Data)
	case m.Number == sshwire.MsgData, m.Number == sshwire.MsgExtended:
		return c.text(f.Time, "o", m.Data)
	case m.Request == "window-change":
		if size, err := sshwire.ParseWindow(m.Payload); err == nil && size.Columns > 0 && size.Rows > 0 {
			return c.event(f.Time, "r", fmt.Sprintf("%dx%d", size.Columns, size.Rows))
		}
	}
	return nil
}

func (c *caster) begin(at time.Time, m sshwire.Message) error {
	p, err := sshwire.ParsePTY(m.Payload)
	if err != nil {
		return nil
	}
	c.channel, c.began, c.cut = m.Channel, at, map[string][]byte{}
	head := castHead{Version: 2, Width: p.Columns, Height: p.Rows, Timestamp: at.Unix(), Title: c.title}
	if head.Width == 0 || head.Height == 0 { // a client without a terminal of its own ("ssh -tt"): programs take it for one of this size
		head.Width, head.Height = 80, 24
	}
	if p.Term != "" {
		head.Env = map[string]string{"TERM": strings.ToValidUTF8(p.Term, "?")}
	}
	return c.enc.Encode(head)
}

// text writes what is whole characters, and keeps the rest for the next piece.
func (c *caster) text(at time.Time, code string, b []byte) error {
	b = append(c.cut[code], b...)
	n := len(b)
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				n = len(b) - i
			}
			break
		}
	}
	c.cut[code] = append([]byte(nil), b[n:]...)
	if n == 0 {
		return nil
	}
	return c.event(at, code, strings.ToValidUTF8(string(b[:n]), "\uFFFD"))
}

func (c *caster) event(at time.Time, code, data string) error {
	return c.enc.Encode([]any{json.Number(fmt.Sprintf("%.6f", at.Sub(c.began).Seconds())), code, data})
}

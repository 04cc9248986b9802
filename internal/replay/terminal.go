package replay

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
)

// Terminal plays what the first terminal of a session showed, as it showed it. Escape sequences that only draw
// are passed on; those that ask the terminal for an answer, set its title, its clipboard or its
// keys are left out: a record must not be able to command the terminal that shows it.
func Terminal(ctx context.Context, w io.Writer, src Source, opt Options) error {
	return run(ctx, &terminalView{w: bufio.NewWriter(w)}, src, opt)
}

type terminalView struct {
	w       *bufio.Writer
	channel uint32
	cut     []byte // an escape sequence that is cut off
}

func (t *terminalView) frame(f record.Frame) error {
	if f.Kind != record.KindResponse && f.Kind != record.KindRequest {
		return nil
	}
	m, err := sshwire.Parse(f.Payload)
	if err != nil {
		return nil
	}
	switch {
	case t.channel == 0 && m.Request == "pty-req":
		t.channel = m.Channel
		if p, err := sshwire.ParsePTY(m.Payload); err == nil {
			fmt.Fprintf(t.w, "(a terminal of %s)\r\n", fmtSize(p.Window))
		}
	case m.Channel != t.channel || t.channel == 0 || f.Kind != record.KindResponse:
		return nil
	case m.Number == sshwire.MsgData, m.Number == sshwire.MsgExtended:
		t.draw(m.Data)
	}
	return t.w.Flush()
}

func (t *terminalView) end() error {
	if t.channel == 0 {
		fmt.Fprint(t.w, "(this session has no terminal)\n")
	} else {
		fmt.Fprint(t.w, "\x1b[0m\x1b[?25h\r\n")
	}
	return t.w.Flush()
}

// draw passes on what only draws.
func (t *terminalView) draw(b []byte) {
	b = append(t.cut, b...)
	t.cut = nil
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == 0x1b:
			n, ok := drawing(b[i:])
			if n == 0 {
				if len(b)-i < 4096 {
					t.cut = append([]byte(nil), b[i:]...)
				}
				return
			}
			if ok {
				t.w.Write(b[i : i+n])
			}
			i += n
		case c >= ' ' && c != 0x7f || c == '\r' || c == '\n' || c == '\b' || c == '\t' || c == 0x0e || c == 0x0f:
			if c == 0xc2 && i+1 < len(b) && b[i+1] < 0xa0 { // a control character of the upper half, as UTF-8
				i += 2
				continue
			}
			t.w.WriteByte(c)
			i++
		default:
			i++
		}
	}
}

// drawing is the length of the escape sequence that b begins with, 0 when it is cut off, and whether it only draws.
func drawing(b []byte) (n int, ok bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] < 0x20 || b[i] > 0x7e {
				return i, false
			}
			if b[i] >= 0x40 {
				return i + 1, drawsCSI(string(b[2:i]), b[i])
			}
		}
		return 0, false
	case ']', 'P', 'X', '^', '_': // a string, up to BEL or ST
		for i := 2; i < len(b); i++ {
			if b[i] == 0x07 {
				return i + 1, false
			}
			if b[i] == 0x1b && i+1 < len(b) {
				return i + 2, false
			}
		}
		return 0, false
	case '(', ')':
		if len(b) < 3 {
			return 0, false
		}
		return 3, b[2] == '0' || b[2] == 'B'
	case '7', '8', 'D', 'E', 'M', '=', '>':
		return 2, true
	}
	return 2, false
}

// drawsCSI knows the control sequences that move, erase, colour and scroll (ECMA-48, section 8.3), and private modes of the
// cursor, of wrapping, and of the other screen.
func drawsCSI(args string, final byte) bool {
	switch final {
	case 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'P', 'S', 'T', 'X', '@', 'd', 'f', 'm', 'r', 'g', 'I', 'Z', '`', 'a', 'e':
		return len(args) == 0 || args[0] >= '0' && args[0] <= '9' || args[0] == ';'
	case 'h', 'l':
		switch args {
		case "?25", "?7", "?1049", "?47", "?1047", "?12", "4", "?6":
			return true
		}
	}
	return false
}

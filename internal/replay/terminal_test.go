package replay

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	in := "a\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[6n\x1b[c\x1b]52;c;aGk=\x1b\\\x1b[?1049h\x1bP+q544e\x1b\\\x07b\x1b[2J\x9b6né\r\n"
	for n := 1; n <= len(in); n++ {
		var out bytes.Buffer
		v := terminalView{w: bufio.NewWriter(&out)}
		for i := 0; i < len(in); i += n {
			v.draw([]byte(in[i:min(i+n, len(in))]))
		}
		v.w.Flush()
		for _, bad := range []string{"title", "\x1b[6n", "\x1b[c", "52", "q544e", "\x07"} {
			if strings.Contains(out.String(), bad) {
				t.Fatalf("pieces of %d: %q has %q", n, out.String(), bad)
			}
		}
		for _, good := range []string{"\x1b[31mred\x1b[0m", "\x1b[?1049h", "b\x1b[2J", "é\r\n"} {
			if !strings.Contains(out.String(), good) {
				t.Fatalf("pieces of %d: %q lacks %q", n, out.String(), good)
			}
		}
	}
}

func FuzzDraw(f *testing.F) {
	f.Add([]byte("\x1b[31mx\x1b]0;t\x07"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		v := terminalView{w: bufio.NewWriter(&out)}
		v.draw(b)
		v.w.Flush()
		if strings.Contains(out.String(), "\x1b]") {
			t.Errorf("%q", out.String())
		}
	})
}

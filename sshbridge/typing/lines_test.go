package typing

import (
	"testing"
)

// typedAt makes the lines of a terminal that shows a prompt.
func typedAt(shown string) *Lines {
	l := &Lines{tty: true}
	l.Shown([]byte(shown))
	return l
}

// TestLine: what the keys make of a line, or what the terminal shows where they do not tell.
func TestLine(t *testing.T) {
	for _, c := range []struct{ prompt, keys, shown, want string }{
		{"$ ", "ls -l", "ls -l", "ls -l"},
		{"$ ", "lx\x7fs", "ls", "ls"},
		{"$ ", "rm x\x15ls", "ls", "ls"},
		{"$ ", "rm x y\x17\x17ls", "", "rm ls"},
		{"$ ", "\x1b[A", "rm -rf /srv", "rm -rf /srv"},
		{"\x1b[?2004h\x1b[01;32mme@host\x1b[0m:~$ ", "\x1b[A", "\x1b[1mcat\x1b[0m x", "cat x"},
		{"$ ", "ca\t", "ca\x08\x08cat ", "cat"},
		{"$ ", "\x1b[A\x1b[A", "first\r$ \x1b[Ksecond", "second"},
		{"é$ ", "\x1b[A", "grün", "grün"},
	} {
		l := typedAt(c.prompt)
		for _, k := range []byte(c.keys) {
			if l.keyed(k) {
				t.Errorf("%q submits", c.keys)
			}
		}
		l.Shown([]byte(c.shown))
		if got, hidden, full := l.text(); got != c.want || hidden || full {
			t.Errorf("%q, %q: %q", c.keys, c.shown, got)
		}
	}
	if l := typedAt("[sudo] password for me: "); !l.secret() {
		t.Error("a password would be recorded")
	}
	l := typedAt("\x1b[?1049h")
	if _, _, full := l.text(); !full {
		t.Error("the whole screen is not noticed")
	}
}

func FuzzShown(f *testing.F) {
	f.Add([]byte("$ \x1b[Kls\r\n\x1b]0;t\x07"), []byte("ls\x1b[A"))
	f.Fuzz(func(t *testing.T, shown, keys []byte) {
		l := &Lines{tty: true}
		for i := 0; i < len(shown); i += 3 {
			l.Shown(shown[i:min(i+3, len(shown))])
		}
		for _, k := range keys {
			l.keyed(k)
		}
		l.text()
		if len(l.row) > maxRow+1 || len(l.line) > maxLine+1 {
			t.Error("too much is kept")
		}
	})
}

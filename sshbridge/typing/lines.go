// Package typing follows what is typed into an interactive shell and has its lines judged before they are
// submitted. It owns the keys and the row of the terminal; judging, recording and moving bytes are its user's.
package typing

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/shell"
)

// maxLine bounds a line that is judged, in bytes; what is longer cannot be told and is refused.
const maxLine = 16 << 10

// Lines judges what is typed into an interactive shell, line by line, as far as it can be told: the keys
// give the line, and where they do not (history, completion), what the terminal shows behind the prompt. A
// program on the other side can understand keys in its own way, so this keeps an
// honest agent from mistakes; it does not hold one that means harm. docs/ssh.md says so, and targets can be exec only.
type Lines struct {
	opt Options
	tty bool

	mu     sync.Mutex // what is shown comes from another goroutine
	row    []rune     // what the terminal's current row shows
	col    int
	prompt int // how much of it stood there before the line was begun
	full   bool
	escape []byte // an escape sequence of the output that is cut off

	line      []byte // what was typed
	before    string // lines of the same command
	begun     bool
	uncertain bool   // keys were pressed that change the line in ways which are not known here
	key       []byte // an escape sequence of the input
	cr        bool   // the last byte was a carriage return
}

// Options of Lines. All functions must be set; they are called by the goroutine that calls Typed and Ends.
type Options struct {
	TTY bool
	// Judge asks about a line, and tells the client when it may not be submitted. It blocks.
	Judge func(act action.Action) bool
	// Send records input and passes it on; shown is what the record gets in its place, when that is not nil.
	Send func(b, shown []byte) bool
	// CloseInput ends the shell's input.
	CloseInput func()
}

// New makes the Lines of one shell.
func New(opt Options) *Lines { return &Lines{opt: opt, tty: opt.TTY} }

// secretPrompt is a row behind which what is typed is not shown, and not recorded.
var secretPrompt = regexp.MustCompile(`(?i)(pass(word|phrase|code)|\bpin|token|secret|verification code|otp)[^:?]{0,64}[:?]\s*$`)

// Typed takes what the client sends; false ends the channel's input.
func (l *Lines) Typed(b []byte) bool {
	if !l.tty {
		return l.piped(b)
	}
	from := 0
	for i, k := range b {
		if !l.keyed(k) {
			continue
		}
		if !l.forward(b[from:i]) { // the line, but not what submits it
			return false
		}
		from = i + 1
		if !l.submit(k) {
			return false
		}
	}
	return l.forward(b[from:])
}

// piped is for a shell without a terminal: nothing of a line goes on before it is judged, since a
// shell also runs a last line that has no end.
func (l *Lines) piped(b []byte) bool {
	for _, k := range b {
		if len(l.line) <= maxLine {
			l.line = append(l.line, k)
		}
		if k == '\n' && !l.pipedLine() {
			return false
		}
	}
	return true
}

// Ends judges what is left at the end of the input.
func (l *Lines) Ends() bool { return l.tty || l.pipedLine() }

func (l *Lines) pipedLine() bool {
	text := strings.TrimSuffix(string(l.line), "\n")
	if len(l.line) <= maxLine && strings.HasSuffix(string(l.line), "\n") && shell.Incomplete(text) {
		return true // it goes on in the next line
	}
	if strings.TrimSpace(text) != "" {
		if !l.judge(text, false, len(l.line) > maxLine) { // the shell ends with its input, which has nothing of this line
			l.opt.CloseInput()
			return false
		}
	}
	b := append([]byte(nil), l.line...)
	l.line = l.line[:0]
	return l.forward(b)
}

// judge asks policy about a line, and tells the client when it may not be.
func (l *Lines) judge(text string, uncertain, long bool) bool {
	act := shell.Analyse(action.KindShell, text)
	if l.tty {
		shell.OnTerminal(&act)
	}
	if uncertain {
		act.Features["uncertain"] = true
	}
	if long {
		act.Features = map[string]any{action.FeatureUnparsed: true}
	}
	return l.opt.Judge(act)
}

// forward passes keys on. Those of a password are not in the record.
func (l *Lines) forward(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	var shown []byte
	if l.secret() {
		shown = []byte(strings.Repeat("*", len(b)))
	}
	return l.opt.Send(b, shown)
}

func (l *Lines) secret() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tty && secretPrompt.MatchString(string(l.row))
}

// keyed follows one key, and reports whether it submits the line.
func (l *Lines) keyed(k byte) (submits bool) {
	if len(l.key) > 0 { // within an escape sequence
		l.key = append(l.key, k)
		if done := len(l.key) > 2 && k >= 0x40 && k <= 0x7e || len(l.key) == 2 && k != '[' && k != 'O' || len(l.key) > 16; done {
			l.key = l.key[:0]
		}
		return k == '\r' || k == '\n'
	}
	lf := k == '\n' && l.cr
	l.cr = k == '\r'
	if !l.begun {
		l.begin()
	}
	switch {
	case lf:
		return false // the second half of CR LF
	case k == '\r', k == '\n', k == 0x0f: // ^O submits, too
		return true
	case k == 0x7f, k == 0x08:
		if _, n := utf8.DecodeLastRune(l.line); n > 0 && !l.uncertain {
			l.line = l.line[:len(l.line)-n]
		}
	case k == 0x15, k == 0x03, k == 0x04 && len(l.line) == 0: // ^U ^C ^D: the line is gone
		l.reset()
	case k == 0x17: // ^W
		s := strings.TrimRight(string(l.line), " ")
		l.line = append(l.line[:0], s[:strings.LastIndexByte(s, ' ')+1]...)
	case k == 0x1b:
		l.key, l.uncertain = append(l.key[:0], k), true
	case k < ' ': // completion, history, movement …
		l.uncertain = true
	default:
		if len(l.line) <= maxLine {
			l.line = append(l.line, k)
		}
	}
	return false
}

func (l *Lines) begin() {
	l.mu.Lock()
	l.prompt = len(l.row)
	l.mu.Unlock()
	l.begun = true
}

func (l *Lines) reset() {
	l.line, l.uncertain, l.begun = l.line[:0], false, false
}

// text is the line as far as it can be told.
func (l *Lines) text() (line string, hidden, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return "", false, true
	}
	if l.tty && secretPrompt.MatchString(string(l.row[:min(l.prompt, len(l.row))])) {
		return "", true, false
	}
	if l.uncertain && l.tty {
		return strings.TrimSpace(string(l.row[min(l.prompt, len(l.row)):])), false, false
	}
	return string(l.line), false, false
}

// submit judges the line, and passes on the key that submits it, or takes the line back.
func (l *Lines) submit(k byte) bool {
	text, hidden, full := l.text()
	uncertain, long := l.uncertain, len(l.line) > maxLine
	l.reset()
	switch {
	case full: // a program that uses the whole screen: its keys are no lines of a shell
		return l.opt.Send([]byte{k}, nil)
	case hidden:
		return l.opt.Send([]byte{k}, nil)
	case strings.TrimSpace(text) == "" && !uncertain:
		return l.opt.Send([]byte{k}, nil)
	}
	whole := l.before + text
	if !uncertain && !long && len(whole) <= maxLine && shell.Incomplete(whole) { // the shell asks for the rest, and runs nothing yet
		l.before = whole + "\n"
		return l.opt.Send([]byte{k}, nil)
	}
	l.before = ""
	if !l.judge(whole, uncertain, long) {
		return l.opt.Send([]byte{0x03, 0x05, 0x15, '\r'}, nil) // ^C ^E ^U Enter: the line is emptied, and there is a new prompt
	}
	return l.opt.Send([]byte{k}, nil)
}

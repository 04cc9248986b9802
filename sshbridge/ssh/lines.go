package ssh

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/shell"
)

// maxLine bounds a line that is judged, in bytes; what is longer cannot be told and is refused.
const maxLine = 16 << 10

// lines judges what is typed into an interactive shell, line by line, as far as it can be told: the keys
// give the line, and where they do not (history, completion), what the terminal shows behind the prompt. A
// program on the other side can understand keys in its own way, so this keeps an
// honest agent from mistakes; it does not hold one that means harm. docs/ssh.md says so, and targets can be exec only.
type lines struct {
	s    *sessionChannel
	proc *process
	tty  bool
	msg  []byte

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

func newLines(s *sessionChannel, tty bool) *lines { return &lines{s: s, tty: tty} }

// secretPrompt is a row behind which what is typed is not shown, and not recorded.
var secretPrompt = regexp.MustCompile(`(?i)(pass(word|phrase|code)|\bpin|token|secret|verification code|otp)[^:?]{0,64}[:?]\s*$`)

// typed takes what the client sends; false ends the channel's input.
func (l *lines) typed(b []byte) bool {
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
func (l *lines) piped(b []byte) bool {
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

// ends judges what is left at the end of the input.
func (l *lines) ends() bool { return l.tty || l.pipedLine() }

func (l *lines) pipedLine() bool {
	text := strings.TrimSuffix(string(l.line), "\n")
	if len(l.line) <= maxLine && strings.HasSuffix(string(l.line), "\n") && shell.Incomplete(text) {
		return true // it goes on in the next line
	}
	if strings.TrimSpace(text) != "" {
		if !l.judge(text, false, len(l.line) > maxLine) { // the shell ends with its input, which has nothing of this line
			_ = l.proc.target.CloseWrite()
			return false
		}
	}
	b := append([]byte(nil), l.line...)
	l.line = l.line[:0]
	return l.forward(b)
}

// judge asks policy about a line, and tells the client when it may not be.
func (l *lines) judge(text string, uncertain, long bool) bool {
	act := shell.Analyse(action.KindShell, text)
	if uncertain {
		act.Features["uncertain"] = true
	}
	if long {
		act.Features = map[string]any{action.FeatureUnparsed: true}
	}
	p, err := l.s.c.pass(l.s.ctx, act, digestOf("line", text), l.s.tell)
	if err != nil {
		l.s.tell(err.Error())
		return false
	}
	l.s.c.result(p, record.Result{Status: "ok", Message: "submitted"})
	return true
}

// forward passes keys on. Those of a password are not in the record.
func (l *lines) forward(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	var shown []byte
	if l.secret() {
		shown = []byte(strings.Repeat("*", len(b)))
	}
	return l.proc.send(&l.msg, b, shown)
}

func (l *lines) secret() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tty && secretPrompt.MatchString(string(l.row))
}

// keyed follows one key, and reports whether it submits the line.
func (l *lines) keyed(k byte) (submits bool) {
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

func (l *lines) begin() {
	l.mu.Lock()
	l.prompt = len(l.row)
	l.mu.Unlock()
	l.begun = true
}

func (l *lines) reset() {
	l.line, l.uncertain, l.begun = l.line[:0], false, false
}

// text is the line as far as it can be told.
func (l *lines) text() (line string, hidden, full bool) {
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
func (l *lines) submit(k byte) bool {
	text, hidden, full := l.text()
	uncertain, long := l.uncertain, len(l.line) > maxLine
	l.reset()
	switch {
	case full: // a program that uses the whole screen: its keys are no lines of a shell
		return l.proc.send(&l.msg, []byte{k}, nil)
	case hidden:
		return l.proc.send(&l.msg, []byte{k}, nil)
	case strings.TrimSpace(text) == "" && !uncertain:
		return l.proc.send(&l.msg, []byte{k}, nil)
	}
	whole := l.before + text
	if !uncertain && !long && len(whole) <= maxLine && shell.Incomplete(whole) { // the shell asks for the rest, and runs nothing yet
		l.before = whole + "\n"
		return l.proc.send(&l.msg, []byte{k}, nil)
	}
	l.before = ""
	if !l.judge(whole, uncertain, long) {
		return l.proc.send(&l.msg, []byte{0x03, 0x05, 0x15, '\r'}, nil) // ^C ^E ^U Enter: the line is emptied, and there is a new prompt
	}
	return l.proc.send(&l.msg, []byte{k}, nil)
}

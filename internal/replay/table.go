package replay

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// lookAhead is how many rows (and bytes of them) the widths of a table are taken from; what
	// comes later is written as it comes.
	lookAhead      = 200
	lookAheadBytes = 256 << 10
	maxWidth       = 60
)

// table writes one result.
type table struct {
	w       io.Writer
	indent  string
	columns []string
	widths  []int
	rows    [][]string // of the look-ahead
	bytes   int
	shown   bool
	count   int
	max     int
}

func (t *table) begin(cols []Column) {
	*t = table{w: t.w, indent: t.indent, max: t.max}
	for _, c := range cols {
		t.columns = append(t.columns, line(c.Name))
	}
}

func (t *table) row(vals []Value) {
	t.count++
	if t.max > 0 && t.count > t.max {
		return
	}
	cells := make([]string, len(vals))
	for i, v := range vals {
		switch {
		case v.Null:
			cells[i] = "NULL"
		case v.Hex:
			cells[i] = `\x` + v.Text
		default:
			cells[i] = line(v.Text)
		}
		t.bytes += len(cells[i])
	}
	if t.shown {
		t.write(cells)
		return
	}
	if t.rows = append(t.rows, cells); len(t.rows) >= lookAhead || t.bytes > lookAheadBytes {
		t.show()
	}
}

// show writes the header and the rows so far.
func (t *table) show() {
	t.shown = true
	for _, r := range append([][]string{t.columns}, t.rows...) {
		for i, c := range r {
			if i >= len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], min(width(c), maxWidth))
		}
	}
	if len(t.columns) > 0 {
		t.write(t.columns)
		rules := make([]string, len(t.columns))
		for i := range rules {
			rules[i] = strings.Repeat("-", t.widths[i])
		}
		fmt.Fprintf(t.w, "%s%s\n", t.indent, strings.Join(rules, "-+-"))
	}
	for _, r := range t.rows {
		t.write(r)
	}
	t.rows = nil
}

func (t *table) write(cells []string) {
	var b strings.Builder
	b.WriteString(t.indent)
	for i, c := range cells {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(c)
		if i < len(cells)-1 && i < len(t.widths) {
			b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-width(c))))
		}
	}
	b.WriteByte('\n')
	_, _ = io.WriteString(t.w, b.String()) // a bufio.Writer keeps its first error
}

// open says that a result has begun and is not finished.
func (t *table) open() bool { return t.columns != nil || t.count > 0 }

// finish ends the table. It counts the rows in so many words, as they were delivered.
func (t *table) finish() {
	if !t.open() {
		return
	}
	if !t.shown {
		t.show()
	}
	more := ""
	if t.max > 0 && t.count > t.max {
		more = fmt.Sprintf(", %d of them not shown", t.count-t.max)
	}
	plural := "s"
	if t.count == 1 {
		plural = ""
	}
	fmt.Fprintf(t.w, "%s(%d row%s%s)\n", t.indent, t.count, plural, more)
	*t = table{w: t.w, indent: t.indent, max: t.max}
}

func width(s string) int { return utf8.RuneCountInString(s) }

// line makes s safe for a terminal and puts it on one line.
func line(s string) string { return clean(s, false) }

// lines keeps line breaks and tabs.
func lines(s string) string { return clean(s, true) }

// clean shows control and direction characters and invalid bytes as escapes.
func clean(s string, breaks bool) string {
	bad := func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !(breaks && (r == '\n' || r == '\t')) ||
			unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case !bad(r):
			b.WriteRune(r)
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n > 1 {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

package typing

import "unicode/utf8"

// Shown follows what the terminal shows, as much as is needed to know its current row.
func (l *Lines) Shown(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.escape) > 0 {
		b = append(l.escape, b...)
		l.escape = nil
	}
	for i := 0; i < len(b); {
		if b[i] == 0x1b {
			n := l.sequence(b[i:])
			if n == 0 {
				if len(b)-i < 64 {
					l.escape = append([]byte(nil), b[i:]...)
					return
				}
				n = 1
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		l.put(r)
		i += n
	}
}

// maxRow bounds the row that is remembered.
const maxRow = 2 * maxLine

func (l *Lines) put(r rune) {
	switch r {
	case '\n':
		l.row, l.col = l.row[:0], 0
	case '\r':
		l.col = 0
	case '\b':
		l.col = max(0, l.col-1)
	case '\a', 0:
	default:
		if r < ' ' || l.col >= maxRow {
			return
		}
		for len(l.row) <= l.col {
			l.row = append(l.row, ' ')
		}
		l.row[l.col] = r
		l.col++
	}
}

// sequence follows an escape sequence and gives its length, 0 when it is cut off.
func (l *Lines) sequence(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] == ']' { // a title, up to BEL or ST
		for i := 2; i < len(b) && i < 64; i++ {
			if b[i] == 0x07 {
				return i + 1
			}
			if b[i] == 0x1b {
				return i + 2
			}
		}
		return 0
	}
	if b[1] != '[' {
		return 2
	}
	for i := 2; i < len(b); i++ {
		if b[i] < 0x40 || b[i] > 0x7e {
			continue
		}
		l.control(string(b[2:i]), b[i])
		return i + 1
	}
	return 0
}

// control is a control sequence that moves within the row, deletes of it, or takes the whole screen.
func (l *Lines) control(args string, final byte) {
	n := 0
	for _, c := range args {
		if c < '0' || c > '9' {
			break
		}
		n = min(n*10+int(c-'0'), maxRow)
	}
	switch final {
	case 'K':
		if args == "" || args == "0" {
			l.row = l.row[:min(l.col, len(l.row))]
		}
	case 'C':
		l.col = min(l.col+max(n, 1), maxRow)
	case 'D':
		l.col = max(0, l.col-max(n, 1))
	case 'G':
		l.col = max(0, n-1)
	case 'P':
		if l.col < len(l.row) {
			l.row = append(l.row[:l.col], l.row[min(l.col+max(n, 1), len(l.row)):]...)
		}
	case 'H', 'J':
		l.row, l.col = l.row[:0], 0
	case 'h', 'l':
		if args == "?1049" || args == "?47" || args == "?1047" {
			l.full = final == 'h'
		}
	}
}

package highlight

import "strings"

// colours are the terminal's own, so that they fit what its user reads on.
var colours = map[Class]string{Keyword: "1", Name: "36", String: "32", Number: "35", Comment: "2", Param: "33", Command: "1", Odd: "7;31", Mixed: "7;33"}

// Terminal writes pieces for a terminal. Nothing of the text can move its cursor: what is odd is an escape in ASCII.
func Terminal(list []Piece, colour bool) string {
	var b strings.Builder
	for _, p := range list {
		code := colours[p.Class]
		if !colour || code == "" {
			b.WriteString(p.Shown)
			continue
		}
		// Line by line, so that whatever is put before a line has no colour.
		for i, line := range strings.Split(p.Shown, "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			if line != "" {
				b.WriteString("\x1b[" + code + "m" + line + "\x1b[0m")
			}
		}
	}
	return b.String()
}

package mask

import (
	"bytes"
	"unicode/utf8"
)

// Notice is the free text of a PostgreSQL ErrorResponse or NoticeResponse, and
// what is needed to judge where it came from. The other fields of the message
// (schema, table, column, data type, constraint, severity, line) name objects
// of the catalog and stay.
type Notice struct {
	Code             string // C, the SQLSTATE
	Message          string // M
	Detail           string // D
	Hint             string // H
	Position         string // P: a place in the client's own text
	InternalPosition string // p
	InternalQuery    string // q
	Where            string // W
	File             string // F: the server's source file
}

const hiddenHint = "Details are hidden because columns of this target are masked."

// ScrubError takes out of an error what may quote data, in place, and
// reports whether it changed anything. With detectors alone, all
// detectors of the plan run on every field. When columns are masked, it trusts neither the
// words of the message (the server may speak any language) nor its code alone:
//
//   - An error that points at a place in the client's own statement was raised before
//     data were read, and quotes that statement: it keeps its text.
//   - One whose code carries data, or that was raised by code run in the server
//     (a function's RAISE, a remote server), gets the code's name as its message.
//   - Of any other, everything quoted and every number is redacted; a single
//     quoted span that isIdentifier knows stays.
//
// In the last two cases detail, hint, context and internal query are dropped.
// isIdentifier says whether a name is in the target's catalog; nil knows none.
// It must not know names for the mere reason that they are in the
// statement: a guessed value could then be confirmed.
func (p *Plan) ScrubError(n *Notice, isIdentifier func(string) bool) bool {
	return p.scrubNotice(n, isIdentifier, "error")
}

// ScrubNotice is ScrubError for a notice or warning.
func (p *Plan) ScrubNotice(n *Notice, isIdentifier func(string) bool) bool {
	return p.scrubNotice(n, isIdentifier, "notice")
}

func (p *Plan) scrubNotice(n *Notice, isIdentifier func(string) bool, what string) bool {
	if p.Empty() {
		return false
	}
	before := *n
	if p.HasColumns() && !n.ownText() {
		if n.carriesData() {
			n.Message = conditionName(n.Code, what) + " (details are hidden by masking)"
		} else {
			n.Message = string(quotedOnly(nil, n.Message, isIdentifier))
		}
		dropped := n.Detail != "" || n.Hint != "" || n.Where != "" || n.InternalQuery != ""
		n.Detail, n.Hint, n.Where, n.InternalQuery, n.InternalPosition = "", "", "", "", ""
		if dropped || n.Message != before.Message {
			n.Hint = hiddenHint
		}
	}
	for _, f := range [...]*string{&n.Message, &n.Detail, &n.Hint, &n.Where, &n.InternalQuery} {
		if out, hits := p.scrubAll(nil, []byte(*f), &p.every); hits > 0 {
			*f = string(out)
		}
	}
	return *n != before
}

// ownText reports whether the message is about the client's own statement: it
// has a cursor position, which the server moves to the internal fields as soon
// as the text is not the client's.
func (n *Notice) ownText() bool {
	return n.Position != "" && n.InternalQuery == "" && n.InternalPosition == "" && n.Where == "" &&
		!dataClass(n.Code) && !raisedByCode(n.File)
}

func (n *Notice) carriesData() bool {
	return quotesData(n.Code) || raisedByCode(n.File) || n.Where != "" || n.InternalQuery != ""
}

// dataClass reports whether messages of the SQLSTATE's class quote data by
// their nature. Whatever is not a known class does.
func dataClass(code string) bool {
	if len(code) != 5 {
		return true
	}
	switch code[:2] {
	case "00", "01", "02", "03", "08", "0A", "0B", "0L", "0P", "20", "21", "24", "25", "26", "28", "2B", "2D", "34",
		"3B", "3D", "3F", "40", "42", "53", "54", "55", "57":
		return false
	}
	return true
}

// quotesData reports whether the message may hold data without quotation marks
// around them, when it is not about the client's own text. Not those of
// a bad cast to regoperator (42883), of a name with too many dots (42601, 0A000) …: only
// codes whose messages name objects, in quotation marks or from the catalog, are kept.
func quotesData(code string) bool {
	if dataClass(code) {
		return true
	}
	switch code[:2] {
	case "00", "01", "02", "08", "24", "25", "26", "28", "2B", "34", "3D", "3F", "40", "53", "57":
		return false
	}
	switch code {
	case "42501", "42P01", "42703", "42P07", "42710", "42701", "42P06", "42704", "42809", "42723", "42P03", "42P05", "42622", "55P03", "55006":
		return false
	}
	return true
}

// raisedByCode reports whether the server's source file is one that passes on
// messages made elsewhere: procedural languages, remote servers.
func raisedByCode(file string) bool {
	switch file {
	case "pl_exec.c", "pl_handler.c", "plpy_elog.c", "plpy_plpymodule.c", "plpy_exec.c", "plperl.c", "pltcl.c", "plv8.cc", "dblink.c", "connection.c", "libpqsrv.c":
		return true
	}
	return false
}

// quotedOnly redacts what is quoted, unless all that is quoted is one
// identifier, and every number outside of that.
func quotedOnly(dst []byte, msg string, isIdentifier func(string) bool) []byte {
	first, last := quoteSpan(msg)
	if first < 0 {
		return starNumbers(dst, msg)
	}
	_, a := utf8.DecodeRuneInString(msg[first:])
	dst = starNumbers(dst, msg[:first+a])
	if last == first {
		return append(dst, redacted...)
	}
	if in := msg[first+a : last]; isIdentifier != nil && quoteRunes(in) == 0 && isIdentifier(in) {
		dst = append(dst, in...)
	} else {
		dst = append(dst, redacted...)
	}
	return starNumbers(dst, msg[last:])
}

// starNumbers puts a star for every number: an object's OID can be a value that was cast to one.
func starNumbers(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch {
		case !isDigit(s[i]):
			dst = append(dst, s[i])
		case i == 0 || !isDigit(s[i-1]):
			dst = append(dst, '*')
		}
	}
	return dst
}

// redactSpan keeps the quotes at first and last and redacts what is between;
// without a closing quote, all that follows.
func redactSpan(dst []byte, msg string, first, last int) []byte {
	_, a := utf8.DecodeRuneInString(msg[first:])
	dst = append(append(dst, msg[:first+a]...), redacted...)
	if last > first {
		dst = append(dst, msg[last:]...)
	}
	return dst
}

// quoteSpan gives the places of the first and the last quotation mark, -1 without one.
func quoteSpan(msg string) (first, last int) {
	first, last = -1, -1
	for i, r := range msg {
		if !isQuote(r) || r == '\'' && apostrophe(msg, i) {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	return first, last
}

// apostrophe reports whether the mark at i is inside of a word: "can't".
func apostrophe(msg string, i int) bool {
	return i > 0 && i+1 < len(msg) && isAlpha(msg[i-1]) && isAlpha(msg[i+1])
}

func quoteRunes(s string) (n int) {
	for _, r := range s {
		if isQuote(r) {
			n++
		}
	}
	return n
}

// isQuote knows the quotation marks of the server's message catalogs.
func isQuote(r rune) bool {
	switch r {
	case '"', '\'', '`', '«', '»', '‹', '›', '“', '”', '„', '‟', '‘', '’', '‚', '「', '」', '『', '』', '《', '》':
		return true
	}
	return false
}

// ScrubQuoted appends msg with every quoted span redacted: "…", '…' and their
// likes in other languages, (col)=(value) and "row contains (…)". Spans that
// isIdentifier knows stay. A value that has quotation marks itself can make
// spans ambiguous, so from the first span that is no identifier on, all up to
// the last quotation mark is redacted. It counts what it redacted. It is for messages that
// are not from PostgreSQL; it is not enough where columns are masked and the message
// can hold unquoted values.
func ScrubQuoted(dst []byte, msg string, isIdentifier func(string) bool) ([]byte, int) {
	n, at := 0, len(dst)
	if first := firstForeign(msg, isIdentifier); first >= 0 {
		_, last := quoteSpan(msg)
		dst = redactSpan(dst, msg, first, last)
		n++
	} else {
		dst = append(dst, msg...)
	}
	if i := valueStart(dst[at:]); i >= 0 {
		dst = append(append(dst[:at+i], redacted...), ')')
		n++
	}
	return dst, n
}

// firstForeign finds the opening quote of the first span that is no
// identifier, -1 when there is none.
func firstForeign(msg string, isIdentifier func(string) bool) int {
	open := -1
	for i, r := range msg {
		if !isQuote(r) || r == '\'' && apostrophe(msg, i) {
			continue
		}
		if open < 0 {
			open = i
			continue
		}
		_, a := utf8.DecodeRuneInString(msg[open:])
		if isIdentifier == nil || !isIdentifier(msg[open+a:i]) {
			return open
		}
		open = -1
	}
	return open
}

// valueStart finds where values begin in "Key (a, b)=(1, 2)" and "row
// contains (1, 2)": all that follows goes. -1 when there are none.
func valueStart(msg []byte) int {
	if i := bytes.Index(msg, []byte(")=(")); i >= 0 {
		return i + 3
	}
	if i := bytes.Index(msg, []byte("contains (")); i >= 0 {
		return i + len("contains (")
	}
	return -1
}

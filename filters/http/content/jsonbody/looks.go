package jsonbody

import "bytes"

// Looks reports whether a text, of which head is the beginning, is to be taken for
// JSON: it begins with a bracket, and goes on as JSON does, or as what lenient
// readers take for it (comments, single quotes). A log line that begins with one is not.
func Looks(head []byte) bool {
	t := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n")
	if len(t) == 0 || t[0] != '{' && t[0] != '[' {
		return false
	}
	next := bytes.TrimLeft(t[1:], " \t\r\n")
	if len(next) == 0 {
		return true
	}
	switch next[0] {
	case '"', '\'', '/', '{':
		return true
	case '[':
		return t[0] == '['
	}
	_, err := New(nil, Limits{}).Write(nil, t)
	return err == nil
}

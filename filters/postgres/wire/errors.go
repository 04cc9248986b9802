package wire

import "bytes"

// Fields of ErrorResponse and NoticeResponse that are used here ("Error and Notice Message Fields").
const (
	FieldSeverity    = 'S' // localised
	FieldSeverityRaw = 'V' // never localised
	FieldCode        = 'C'
	FieldMessage     = 'M'
	FieldDetail      = 'D'
	FieldHint        = 'H'
	FieldPosition    = 'P' // in characters, from 1
	FieldWhere       = 'W'
)

// Report is an error or notice that we say ourselves. Severity is ERROR, FATAL or NOTICE.
type Report struct {
	Severity, Code, Message, Detail, Hint string
}

// AppendError appends an ErrorResponse, AppendNotice a NoticeResponse.
func AppendError(dst []byte, r Report) []byte { return appendReport(dst, ErrorResponse, r) }

func AppendNotice(dst []byte, r Report) []byte { return appendReport(dst, NoticeResponse, r) }

func appendReport(dst []byte, typ byte, r Report) []byte {
	dst, at := begin(dst, typ)
	for _, f := range [...]struct {
		code  byte
		value string
	}{
		{FieldSeverity, r.Severity}, {FieldSeverityRaw, r.Severity}, {FieldCode, r.Code},
		{FieldMessage, r.Message}, {FieldDetail, r.Detail}, {FieldHint, r.Hint},
	} {
		if f.value != "" {
			dst = append(dst, f.code)
			dst = cstr(dst, clean(f.value))
		}
	}
	return end(append(dst, 0), at)
}

// clean cuts a value at a NUL, which would end the field.
func clean(s string) string {
	for i := range len(s) {
		if s[i] == 0 {
			return s[:i]
		}
	}
	return s
}

// NextField takes the first field off an ErrorResponse's or NoticeResponse's body. It reports
// false at the end, and at anything malformed. The value is borrowed.
func NextField(body []byte) (code byte, value, rest []byte, ok bool) {
	if len(body) < 2 || body[0] == 0 {
		return 0, nil, nil, false
	}
	i := bytes.IndexByte(body[1:], 0)
	if i < 0 {
		return 0, nil, nil, false
	}
	return body[0], body[1 : 1+i], body[2+i:], true
}

// Field is the value of one field of a report's body, nil when absent; borrowed.
func Field(body []byte, want byte) []byte {
	for {
		code, value, rest, ok := NextField(body)
		if !ok {
			return nil
		}
		if code == want {
			return value
		}
		body = rest
	}
}

// RewriteFields appends a report message in which each value is what f makes of it; f
// returns false to leave a field out.
func RewriteFields(dst []byte, typ byte, body []byte, f func(code byte, value []byte) ([]byte, bool)) []byte {
	dst, at := begin(dst, typ)
	for {
		code, value, rest, ok := NextField(body)
		if !ok {
			return end(append(dst, 0), at)
		}
		if v, keep := f(code, value); keep {
			dst = append(append(append(dst, code), v...), 0)
		}
		body = rest
	}
}

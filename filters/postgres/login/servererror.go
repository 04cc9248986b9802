package login

import (
	"fmt"
	"strings"
)

// ServerError is an ErrorResponse of the target. Its texts may name the
// target's user and database; they are for the log, not for the agent.
type ServerError struct {
	Severity string
	Code     string // SQLSTATE
	Message  string
	Detail   string
	Hint     string
	// Fields has all fields by their type byte.
	Fields map[byte]string
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the target refused the login: %s: %s (SQLSTATE %s)", e.Severity, e.Message, e.Code)
}

// parseError reads ErrorResponse: a byte and a zero-terminated string per
// field, and a zero. Of a broken one it keeps what can be read.
func parseError(body []byte) error {
	e := &ServerError{Fields: map[byte]string{}}
	rest := string(body)
	for len(rest) > 1 && rest[0] != 0 {
		value, after, found := strings.Cut(rest[1:], "\x00")
		if !found {
			break
		}
		e.Fields[rest[0]], rest = value, after
	}
	e.Severity, e.Code, e.Message = e.Fields['V'], e.Fields['C'], e.Fields['M']
	e.Detail, e.Hint = e.Fields['D'], e.Fields['H']
	if e.Severity == "" {
		e.Severity = e.Fields['S']
	}
	return e
}

// Package refusal is the one error by which content is refused, shared by the
// decoders below filters/http/content.
package refusal

import "fmt"

// Codes of an Error, for machines.
const (
	Undecodable = "undecodable"  // it is not what it says it is
	Opaque      = "opaque"       // nothing here can look into it
	TooLarge    = "too_large"    // a part is over its limit
	Charset     = "charset"      // a character encoding that is not UTF-8
	Coding      = "coding"       // a content coding that is not known, or too many
	Expands     = "expands"      // a compressed body that grows out of proportion
	Partial     = "partial"      // a range of a body
	Ended       = "ended"        // it was cut off
	Protocol    = "protocol"     // the framing is broken
	Unsupported = "unsupported"  // an extension that is not handled
	State       = "out_of_order" // written to after its end
)

// Error says that content cannot pass under the masks in force. Message is for
// the agent and holds nothing of the content.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// New makes an Error.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

package mcp

import "encoding/json"

// Problem is why a request is refused, for machines and for people. It is the error's data.
type Problem struct {
	Code   string `json:"code"` // "blocked", "held", "denied", "expired", "unavailable", "undecodable"
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"-"` // the error's message
	Hint   string `json:"hint,omitempty"`
	Hold   string `json:"hold,omitempty"` // the hold's id, where somebody has to decide first
	URL    string `json:"url,omitempty"`  // where people see it
}

// CodeRefused is the JSON-RPC code of what policy refuses (in the range for implementations).
const CodeRefused = -32003

type errorReply struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   replyError      `json:"error"`
}

type replyError struct {
	Code    int      `json:"code"`
	Message string   `json:"message"`
	Data    *Problem `json:"data,omitempty"`
}

// Refuse is the answer to a request that is not let through.
func Refuse(id ID, p Problem) []byte { return errorBody(id, replyError{CodeRefused, p.Reason, &p}) }

// Body is the answer to a POST that cannot be decoded.
func (e *Error) Body() []byte { return errorBody(e.ID, replyError{Code: e.Code, Message: e.Message}) }

func errorBody(id ID, e replyError) []byte {
	raw := json.RawMessage("null")
	if id != "" {
		raw = json.RawMessage(id)
	}
	b, err := json.Marshal(errorReply{"2.0", raw, e})
	if err != nil { // all fields are text, so this cannot be
		return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"refused"}}`)
	}
	return b
}

// Package mcp understands the Model Context Protocol over streamable HTTP: the
// JSON-RPC messages of a POST become actions, and what comes back is matched
// with what was asked, filtered (tools/list) and masked (results). It does no
// I/O and holds no policy; verdicts and mask plans are told to it.
//
// Sources: JSON-RPC 2.0; MCP 2024-11-05 to 2025-11-25, "Transports" and "Tools".
package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"dragoman.dev/dragoman/filters/http/request"
)

// Limits bound what is decoded. Zero means the default.
type Limits struct {
	Body     int // bytes of a POST, and of any message of the server; default 4 MiB
	Messages int // messages of a batch; default 64
	Values   int // values of a message; default 20,000
	Depth    int // nesting; default 64
	Pending  int // requests that wait for their answer in one conversation; default 1024
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v   *int
		def int
	}{{&l.Body, 4 << 20}, {&l.Messages, 64}, {&l.Values, 20000}, {&l.Depth, 64}, {&l.Pending, 1024}} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return l
}

// Kind is the sort of a message.
type Kind uint8

const (
	Request Kind = iota + 1
	Notification
	Response
)

// ID is a request's id in one form: the JSON of a string or of a whole number.
// "" is no id, or null.
type ID string

// Message is one JSON-RPC message.
type Message struct {
	Kind   Kind
	ID     ID
	Method string          // "" for a Response
	Params json.RawMessage // nil without; shares memory with the body
	Raw    []byte          // the message as it came; shares memory with the body

	result, fault json.RawMessage // of a Response
	args          []request.Pair  // of tools/call: leaves of the arguments
	tool          string
}

// Post is what a client sent in one POST.
type Post struct {
	Messages []Message
	Batch    bool
}

// Error says that a body is not what MCP allows. Code is JSON-RPC's.
type Error struct {
	Code    int
	Message string
	ID      ID // of the request, where it is known
}

func (e *Error) Error() string { return "mcp: " + e.Message }

// Codes of JSON-RPC.
const (
	codeParse   = -32700
	codeInvalid = -32600
	codeParams  = -32602
)

// ParsePost decodes the body of a POST. Anything that two recipients could read
// in two ways is an *Error: names that are twice in an object (also with other case),
// ids that are not a string or a whole number, unknown members of a message.
func ParsePost(body []byte, lim Limits) (*Post, error) {
	lim = lim.withDefaults()
	if len(body) > lim.Body {
		return nil, &Error{Code: codeInvalid, Message: "the message is too large"}
	}
	if err := strict(body, lim); err != nil {
		return nil, err
	}
	body = bytes.TrimSpace(body)
	if body[0] != '[' {
		m, err := parse(body, lim)
		if err != nil {
			return nil, err
		}
		return &Post{Messages: []Message{m}}, nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil || len(parts) == 0 || len(parts) > lim.Messages {
		return nil, &Error{Code: codeInvalid, Message: "the batch is empty or too large"}
	}
	p := &Post{Batch: true}
	seen := map[ID]bool{}
	for _, part := range parts {
		m, err := parse(part, lim)
		if err != nil {
			return nil, err
		}
		if m.Kind == Request && seen[m.ID] {
			return nil, &Error{Code: codeInvalid, Message: "an id is twice in the batch", ID: m.ID}
		}
		seen[m.ID] = true
		p.Messages = append(p.Messages, m)
	}
	return p, nil
}

// strict checks what holds for all of a body.
func strict(body []byte, lim Limits) error {
	switch _, err := request.Leaves(body, lim.Depth, lim.Values); {
	case err == nil:
		return nil
	case errors.Is(err, request.ErrDuplicate):
		return &Error{Code: codeInvalid, Message: "a name is twice in an object"}
	case errors.Is(err, request.ErrMany):
		return &Error{Code: codeInvalid, Message: "the message has too many values, or is nested too deep"}
	}
	return &Error{Code: codeParse, Message: "the body is not JSON in UTF-8"}
}

// envelope is a message's members; json is not asked for them by other case,
// since strict has refused names that differ in case only, and parse checks the names.
type envelope struct {
	Version json.RawMessage `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  json.RawMessage `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
}

func parse(raw []byte, lim Limits) (Message, error) {
	m := Message{Raw: raw}
	e, err := open(raw)
	if err != nil {
		return m, err
	}
	if e.ID != nil {
		if m.ID, err = parseID(e.ID); err != nil {
			return m, err
		}
	}
	invalid := func(text string) (Message, error) { return m, &Error{Code: codeInvalid, Message: text, ID: m.ID} }
	if e.Method == nil {
		m.Kind, m.result, m.fault = Response, e.Result, e.Error
		if (e.Result == nil) == (e.Error == nil) || e.Params != nil || m.ID == "" && e.Result != nil {
			return invalid("it is neither a request nor a response")
		}
		return m, nil
	}
	if e.Result != nil || e.Error != nil || json.Unmarshal(e.Method, &m.Method) != nil || m.Method == "" || len(m.Method) > 128 {
		return invalid("the method is malformed")
	}
	if m.Params = e.Params; m.Params != nil && m.Params[0] != '{' {
		return invalid("params must be an object")
	}
	switch {
	case e.ID == nil:
		m.Kind = Notification
	case m.ID == "":
		return invalid("the id of a request may not be null")
	default:
		m.Kind = Request
	}
	if m.Method == MethodCall {
		return m, m.readCall(lim)
	}
	return m, nil
}

// open splits a message into its members.
func open(raw []byte) (e envelope, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return e, &Error{Code: codeInvalid, Message: "a message must be an object"}
	}
	for name, value := range members {
		switch name {
		case "jsonrpc":
			e.Version = value
		case "id":
			e.ID = value
		case "method":
			e.Method = value
		case "params":
			e.Params = value
		case "result":
			e.Result = value
		case "error":
			e.Error = value
		default:
			return e, &Error{Code: codeInvalid, Message: "a message has a member that JSON-RPC does not know"}
		}
	}
	if string(e.Version) != `"2.0"` {
		return e, &Error{Code: codeInvalid, Message: `jsonrpc must be "2.0"`}
	}
	return e, nil
}

// Bounds of ids: numbers that every language holds exactly, and short strings.
const (
	maxIDNumber = 1<<53 - 1
	maxIDText   = 256
)

func parseID(raw json.RawMessage) (ID, error) {
	bad := &Error{Code: codeInvalid, Message: "an id must be a short string or a whole number"}
	switch raw[0] {
	case 'n':
		return "", nil
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil || len(s) > maxIDText {
			return "", bad
		}
		b, err := json.Marshal(s)
		if err != nil {
			return "", bad
		}
		return ID(b), nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n > maxIDNumber || n < -maxIDNumber || string(raw) != strconv.FormatInt(n, 10) {
		return "", bad
	}
	return ID(raw), nil
}

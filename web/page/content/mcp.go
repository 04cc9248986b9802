package content

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Call is a call of an MCP tool: what it was given, and what it gave. Result is empty without an answer.
type Call struct {
	Tool      string
	Arguments []Span
	Result    []Message
	Failed    bool // the tool says so, or the server does
}

type rpcMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// Calls are the tool calls of an exchange with an MCP server: a request of JSON-RPC, answered by JSON or by events.
func (m Marks) Calls(request, response []byte, events bool) (list []Call) {
	answers := messages(response, events)
	for _, q := range messages(request, false) {
		if q.Method != "tools/call" || len(list) >= maxMessages {
			continue
		}
		c := Call{Tool: q.Params.Name, Arguments: m.JSON(q.Params.Arguments)}
		for _, a := range answers {
			if a.Method == "" && len(q.ID) > 0 && bytes.Equal(a.ID, q.ID) {
				m.result(&c, a)
			}
		}
		list = append(list, c)
	}
	return list
}

// messages are those of a body: one, or a batch, or one an event.
func messages(b []byte, events bool) (list []rpcMessage) {
	docs := [][]byte{b}
	if events {
		docs = nil
		for _, e := range (Marks{}).events(b) {
			var doc []byte
			for _, s := range e.Spans {
				doc = append(doc, s.Text...)
			}
			docs = append(docs, doc)
		}
	}
	for _, doc := range docs {
		var one rpcMessage
		var batch []rpcMessage
		switch {
		case json.Unmarshal(doc, &batch) == nil:
			list = append(list, batch...)
		case json.Unmarshal(doc, &one) == nil:
			list = append(list, one)
		}
	}
	return list
}

func (m Marks) result(c *Call, a rpcMessage) {
	if len(a.Error) > 0 {
		c.Failed = true
		c.Result = append(c.Result, Message{Title: "error", Spans: m.JSON(a.Error)})
		return
	}
	var r struct {
		Content    []json.RawMessage `json:"content"`
		Structured json.RawMessage   `json:"structuredContent"`
		IsError    bool              `json:"isError"`
	}
	if json.Unmarshal(a.Result, &r) != nil {
		c.Result = append(c.Result, Message{Title: "result", Spans: m.JSON(a.Result)})
		return
	}
	c.Failed = r.IsError
	for i, raw := range r.Content {
		c.Result = append(c.Result, m.item(i, raw))
	}
	if len(r.Structured) > 0 {
		c.Result = append(c.Result, Message{Title: "structured content", Spans: m.JSON(r.Structured)})
	}
}

func (m Marks) item(i int, raw json.RawMessage) Message {
	var item struct{ Type, Text string }
	_ = json.Unmarshal(raw, &item) // what it is not stays empty
	one := Message{Title: fmt.Sprintf("%d %s", i+1, item.Type)}
	if item.Type != "text" {
		one.Spans = m.JSON(raw)
		return one
	}
	if b := []byte(item.Text); looksLikeJSON(b) {
		one.Spans = m.JSON(b)
	}
	if one.Spans == nil {
		one.Spans = m.Text(item.Text)
	}
	return one
}

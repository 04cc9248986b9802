package mcp

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
)

// Methods that are known here.
const (
	MethodInitialize = "initialize"
	MethodList       = "tools/list"
	MethodCall       = "tools/call"
	MethodRead       = "resources/read"
	MethodPrompt     = "prompts/get"
	MethodTaskResult = "tasks/result"
	MethodComplete   = "completion/complete"
	MethodCancelled  = "notifications/cancelled"
	MethodLog        = "notifications/message"
	MethodProgress   = "notifications/progress"
	MethodSample     = "sampling/createMessage"
	MethodElicit     = "elicitation/create"
)

// Tool is the name of the tool of a tools/call, "" for any other message.
func (m *Message) Tool() string { return m.tool }

// readCall reads the params of tools/call. strict has seen to names that are there twice.
func (m *Message) readCall(lim Limits) error {
	bad := func(text string) error { return &Error{Code: codeParams, Message: text, ID: m.ID} }
	if m.Kind != Request {
		return bad("tools/call must be a request with an id")
	}
	var p map[string]json.RawMessage
	if json.Unmarshal(m.Params, &p) != nil || p == nil {
		return bad("tools/call needs params")
	}
	if json.Unmarshal(p["name"], &m.tool) != nil || m.tool == "" || len(m.tool) > 256 {
		return bad("tools/call needs the name of a tool")
	}
	for name := range p {
		if lower := request.Fold(name); lower != name && (lower == "name" || lower == "arguments" || lower == "task") {
			return bad("params have a name that differs from one that is known in case only")
		}
	}
	if p["task"] != nil { // its result would come as the answer to something else
		return bad("a call as a task does not pass this gateway; call the tool and wait")
	}
	args := p["arguments"]
	if args == nil || string(args) == "null" {
		return nil
	}
	if args[0] != '{' {
		return bad("arguments must be an object")
	}
	leaves, err := request.Leaves(args, lim.Depth, lim.Values)
	if err != nil {
		return bad("the arguments cannot be read")
	}
	m.args = leaves
	return nil
}

// Action is what policy judges of a message from the client: kind mcp.tool for a
// tool call, kind mcp for any other request or notification. It is false for
// a response, which answers what the server asked. batch is how many messages came together,
// 0 or 1 for one alone.
func (m *Message) Action(server string, batch int) (action.Action, bool) {
	a := action.Action{
		Kind: action.KindMCP, Verbs: []string{m.Method}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{}, Features: map[string]any{}, Params: []action.Param{},
		Text: m.Method, Fingerprint: "mcp " + server + " " + m.Method,
	}
	if batch > 1 {
		a.Features[action.FeatureBatch] = batch
	}
	switch {
	case m.Kind == Response:
		return a, false
	case m.tool != "":
		m.call(&a, server)
	case m.Params != nil:
		m.other(&a, server)
	}
	return a, true
}

// Verbs of what a client does without a message: it opens a stream to hear
// from the server, or ends the session.
const (
	VerbListen = "session/listen" // GET
	VerbEnd    = "session/end"    // DELETE
)

// Transport is what is judged of a GET or DELETE of an endpoint; false for any other method.
func Transport(server, method string) (action.Action, bool) {
	verb := map[string]string{"GET": VerbListen, "DELETE": VerbEnd}[method]
	m := Message{Kind: Notification, Method: verb}
	a, _ := m.Action(server, 0)
	return a, verb != ""
}

// Listing is what is judged to find out whether a tool may be shown: a call of it without
// arguments, with the feature listing. The tool is shown when the verdict is allow or hold.
func Listing(server, tool string) action.Action {
	m := Message{Kind: Request, Method: MethodCall, tool: tool}
	a, _ := m.Action(server, 0)
	a.Features[action.FeatureListing] = true
	return a
}

// maxText bounds an action's text; the parameters have all.
const maxText = 4096

func (m *Message) call(a *action.Action, server string) {
	a.Kind, a.Verbs = action.KindMCPTool, []string{"call"}
	a.Functions = append(a.Functions, action.Function{Schema: server, Name: m.tool})
	var text strings.Builder
	text.WriteString(m.tool + "(")
	names := []string{}
	for i, p := range m.args {
		a.Params = append(a.Params, action.Param{Name: "arguments/" + p.Name, Value: p.Value})
		top, _, _ := strings.Cut(p.Name, "/")
		names = append(names, top)
		if text.Len() > maxText {
			continue
		}
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(p.Name + "=" + strconv.Quote(p.Value[:min(len(p.Value), 512)]))
	}
	text.WriteString(")")
	slices.Sort(names)
	a.Text = text.String()
	a.Fingerprint = "mcp " + server + " " + m.tool + "(" + strings.Join(slices.Compact(names), ",") + ")"
}

// other describes resources and prompts as what is read, and gives the params.
func (m *Message) other(a *action.Action, server string) {
	leaves, err := request.Leaves(m.Params, 64, 20000)
	if err != nil { // strict has seen the whole body, so this cannot be
		a.Features[action.FeatureUnparsed] = true
		return
	}
	for _, p := range leaves {
		a.Params = append(a.Params, action.Param{Name: "params/" + p.Name, Value: p.Value})
		if p.Name == "uri" && strings.HasPrefix(m.Method, "resources/") || p.Name == "name" && m.Method == MethodPrompt {
			a.Reads = append(a.Reads, action.Object{Schema: server, Name: p.Value, Columns: []string{}, Resolved: true})
			a.Text += " " + p.Value[:min(len(p.Value), maxText)]
		}
	}
}

package mcp

import (
	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/internal/mask"
)

// message filters and masks one message of the server.
func (r *Reply) message(raw []byte) ([]byte, error) {
	o, ok := readObject(raw)
	if !ok || string(o.get("jsonrpc")) != `"2.0"` {
		return nil, broken()
	}
	for _, m := range o {
		switch m.name {
		case "jsonrpc", "id", "method", "params", "result", "error":
		default:
			return nil, broken()
		}
	}
	out := Outcome{}
	if id := o.get("id"); id != nil {
		var err error
		if out.ID, err = parseID(id); err != nil {
			return nil, broken()
		}
	}
	w := work{r: r, o: o, out: &out, raw: raw}
	var err error
	switch {
	case o.get("method") != nil:
		err = w.fromServer()
	case (o.get("result") == nil) == (o.get("error") == nil):
		err = broken()
	default:
		err = w.answer()
	}
	if err != nil {
		return nil, err
	}
	if w.changed {
		w.raw = o.append(nil)
	}
	if w.instead != nil {
		w.raw = w.instead
	}
	r.masked += out.Masked
	out.Raw = w.raw
	r.observe(out)
	return w.raw, nil
}

// work is what is done with one message.
type work struct {
	r       *Reply
	o       object
	raw     []byte
	out     *Outcome
	plan    *mask.Plan
	changed bool
	instead []byte
}

// answer is a response: what was asked says what it is.
func (w *work) answer() error {
	w.out.Kind = Response
	w.out.Failed = w.o.get("error") != nil
	w.plan = w.r.plan
	if w.out.ID == "" {
		if !w.out.Failed {
			return broken()
		}
		return w.fault()
	}
	asked, ok := w.r.conv.answered(w.out.ID)
	if !ok && w.out.Failed && w.r.failed { // some servers answer under an id of their own
		return w.fault()
	}
	if !ok {
		w.instead = unasked(w.out.ID)
		w.out.Failed = true
		return nil
	}
	w.out.Method, w.out.Tool, w.plan = asked.Method, asked.Tool, asked.Plan
	if w.out.Failed {
		return w.fault()
	}
	result, isObject := readObject(w.o.get("result"))
	if !isObject {
		return broken()
	}
	var err error
	switch asked.Method {
	case MethodList:
		err = w.tools(&result, asked.Allow)
	case MethodCall, MethodTaskResult:
		w.out.Failed = string(result.get("isError")) == "true"
		err = w.called(&result)
	case MethodRead:
		err = w.items(&result, "contents", w.resource)
	case MethodComplete:
		err = w.completion(&result)
	case MethodPrompt:
		err = w.items(&result, "messages", w.promptMessage)
	default:
		err = w.rest(&result)
	}
	if err == nil && w.changed {
		w.o.set("result", result.append(nil))
	}
	return err
}

// unasked stands for an answer to what nobody asked.
func unasked(id ID) []byte {
	return Refuse(id, Problem{Code: "undecodable", Reason: "the server answered a request that is not known here", Hint: "ask again"})
}

// hiddenFault stands for an error's text when it cannot be told whether it quotes what masks hide.
const hiddenFault = "the server reported an error; its text is hidden because values of this tool are masked"

// fault masks a JSON-RPC error.
func (w *work) fault() error {
	e, ok := readObject(w.o.get("error"))
	if !ok {
		return broken()
	}
	if _, isText := e.text("message"); isText && w.plan.HasJSON() && !w.plan.PassText() {
		e.set("message", quote(hiddenFault))
		w.changed = true
		w.out.Masked++
	}
	if err := w.document(&e, "data", true); err != nil {
		return err
	}
	if err := w.rest(&e, "data"); err != nil {
		return err
	}
	if w.changed {
		w.o.set("error", e.append(nil))
	}
	return nil
}

// tools leaves out what the identity may not call.
func (w *work) tools(result *object, allow func(string) bool) error {
	items, ok := readList(result.get("tools"))
	if !ok {
		return broken()
	}
	keep := items[:0]
	for _, item := range items {
		t, ok := readObject(item)
		if !ok {
			return broken()
		}
		name, ok := t.text("name")
		if !ok {
			return broken()
		}
		if allow == nil || !allow(name) {
			w.out.Hidden++
			continue
		}
		keep = append(keep, item)
	}
	if w.out.Hidden > 0 {
		result.set("tools", appendList(nil, keep))
		w.changed = true
	}
	return w.rest(result)
}

// completion leaves out what is proposed when it cannot be told whether masks hide it.
func (w *work) completion(result *object) error {
	if w.plan.HasJSON() && !w.plan.PassText() {
		result.set("completion", []byte(`{"values":[]}`))
		w.changed = true
		w.out.Masked++
	}
	return w.rest(result)
}

// rest runs the detectors on all members but those named.
func (w *work) rest(o *object, but ...string) error {
	for i := range *o {
		name := (*o)[i].name
		skip := false
		for _, b := range but {
			skip = skip || b == name
		}
		if skip {
			continue
		}
		if err := w.document(o, name, false); err != nil {
			return err
		}
		w.name(&(*o)[i])
	}
	return nil
}

// name runs the detectors on a member's name, which may be a value as well.
func (w *work) name(m *member) {
	if !w.plan.HasText() {
		return
	}
	values := w.plan.Values()
	if out, _, n := values.Text(nil, mask.Named{}, nil, []byte(m.name)); n > 0 {
		m.name = string(out)
		w.out.Masked += n
		w.changed = true
	}
}

// document masks one member as a JSON document of its own, by the paths as well if paths is set.
func (w *work) document(o *object, name string, paths bool) error {
	raw := o.get(name)
	if raw == nil || !w.plan.Content() {
		return nil
	}
	out, n, err := maskJSON(w.plan, raw, paths)
	if err != nil {
		return err
	}
	if n > 0 {
		w.out.Masked += n
		w.changed = true
		o.set(name, out)
	}
	return nil
}

func maskJSON(plan *mask.Plan, raw []byte, paths bool) ([]byte, int, error) {
	m := jsonbody.NewText(plan, jsonbody.Limits{})
	if paths {
		m = jsonbody.New(plan, jsonbody.Limits{})
	}
	out, err := m.Write(nil, raw)
	if err == nil {
		out, err = m.Close(out)
	}
	return out, m.Masked(), err
}

package mcp

import "slices"

// fromServer is a request or notification of the server: all of the plan is for its params.
func (w *work) fromServer() error {
	w.out.Kind = Notification
	if w.out.ID != "" {
		w.out.Kind = Request
	}
	var ok bool
	if w.out.Method, ok = w.o.text("method"); !ok || w.o.get("result") != nil || w.o.get("error") != nil {
		return broken()
	}
	w.plan = w.r.plan
	if !w.plan.Content() || w.o.get("params") == nil {
		return nil
	}
	params, ok := readObject(w.o.get("params"))
	if !ok {
		return broken()
	}
	if err := w.params(&params); err != nil {
		return err
	}
	if w.changed {
		w.o.set("params", params.append(nil))
	}
	return nil
}

// params masks what the server tells or asks: texts as those of results, all else by the whole plan.
func (w *work) params(p *object) error {
	texts := map[string][]string{MethodLog: {"data"}, MethodProgress: {"message"}, MethodElicit: {"message"}, MethodSample: {"systemPrompt"}}[w.out.Method]
	done := []string{"messages"}
	for _, name := range texts {
		if raw := p.get(name); len(raw) > 0 && raw[0] == '"' {
			done = append(done, name)
			if err := w.text(p, name); err != nil {
				return err
			}
		} else if err := w.document(p, name, true); err != nil { // a log's data may be any JSON: a document of its own
			return err
		}
	}
	if w.out.Method != MethodSample {
		done = done[1:]
	} else if p.get("messages") != nil {
		if err := w.items(p, "messages", w.promptMessage); err != nil {
			return err
		}
	}
	for i := range *p {
		if slices.Contains(done, (*p)[i].name) {
			continue
		}
		if err := w.member(p, (*p)[i].name); err != nil {
			return err
		}
		w.name(&(*p)[i])
	}
	return nil
}

// member masks one member by the whole plan, as if it stood in an object alone: paths begin at the params.
func (w *work) member(p *object, name string) error {
	alone := object{{name, p.get(name)}}
	out, n, err := maskJSON(w.plan, alone.append(nil), true)
	if err != nil || n == 0 {
		return err
	}
	masked, ok := readObject(out)
	if !ok || len(masked) != 1 {
		return broken()
	}
	p.set(name, masked[0].raw)
	w.out.Masked += n
	w.changed = true
	return nil
}

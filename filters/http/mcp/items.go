package mcp

import (
	"bytes"
	"encoding/json"
	"slices"

	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/internal/mask"
)

// called masks a tool's result: structuredContent is a document of its own, and
// so is a text that is JSON.
func (w *work) called(result *object) error {
	if err := w.document(result, "structuredContent", true); err != nil {
		return err
	}
	if result.get("content") != nil {
		if err := w.items(result, "content", w.block); err != nil {
			return err
		}
	}
	return w.documents(result, "structuredContent", "content")
}

// documents masks all members but those named as documents of their own, as those that a protocol's newer version,
// or a server of its own accord, adds: _meta, and what else has values of the answer. Hints for display are none.
func (w *work) documents(o *object, but ...string) error {
	for i := range *o {
		m := &(*o)[i]
		if slices.Contains(but, m.name) {
			continue
		}
		if err := w.document(o, m.name, m.name != "annotations" && m.name != "icons"); err != nil {
			return err
		}
		w.name(m)
	}
	return nil
}

// items does something with each item of a list.
func (w *work) items(o *object, name string, do func(*object) error) error {
	if !w.plan.Content() {
		return nil
	}
	raw := o.get(name)
	items, ok := readList(raw)
	if !ok {
		return broken()
	}
	before := w.changed
	w.changed = false
	for i := range items {
		item, ok := readObject(items[i])
		if !ok {
			return broken()
		}
		was := w.changed
		w.changed = false
		if err := do(&item); err != nil {
			return err
		}
		if w.changed {
			items[i] = item.append(nil)
		}
		w.changed = w.changed || was
	}
	if w.changed {
		o.set(name, appendList(nil, items))
	}
	w.changed = w.changed || before
	return nil
}

// block masks one content block (MCP, "Content types").
func (w *work) block(item *object) error {
	kind, _ := item.text("type")
	switch kind {
	case "text":
		if err := w.text(item, "text"); err != nil {
			return err
		}
		return w.documents(item, "type", "text")
	case "image", "audio":
		if !w.plan.PassOpaque() {
			w.hide(item)
			return nil
		}
		return w.documents(item, "type", "data")
	case "resource":
		inner, ok := readObject(item.get("resource"))
		if !ok {
			return broken()
		}
		if err := w.resource(&inner); err != nil {
			return err
		}
		if w.changed {
			item.set("resource", inner.append(nil))
		}
		return w.documents(item, "type", "resource")
	case "tool_use":
		if err := w.document(item, "input", true); err != nil {
			return err
		}
		return w.documents(item, "type", "input")
	case "tool_result": // in what the server asks a model
		return w.called(item)
	case "resource_link":
		return w.documents(item, "type")
	}
	if !w.plan.PassOpaque() {
		w.hide(item)
		return nil
	}
	return w.documents(item, "type")
}

// hide puts a text for a block that cannot be looked into.
func (w *work) hide(item *object) {
	*item = object{{"type", []byte(`"text"`)}, {"text", quote("[redacted: content that cannot be looked into]")}}
	w.changed = true
	w.out.Masked++
}

// resource masks the contents of a resource.
func (w *work) resource(item *object) error {
	if err := w.text(item, "text"); err != nil {
		return err
	}
	if item.get("blob") != nil && !w.plan.PassOpaque() {
		item.set("blob", []byte(`""`))
		w.changed = true
		w.out.Masked++
	}
	return w.documents(item, "text", "blob")
}

func (w *work) promptMessage(item *object) error {
	if raw := item.get("content"); len(raw) > 0 && raw[0] == '[' {
		if err := w.items(item, "content", w.block); err != nil {
			return err
		}
		return w.documents(item, "role", "content")
	}
	inner, ok := readObject(item.get("content"))
	if !ok {
		return broken()
	}
	if err := w.block(&inner); err != nil {
		return err
	}
	if w.changed {
		item.set("content", inner.append(nil))
	}
	return w.documents(item, "role", "content")
}

// text masks a text: as JSON where it is a JSON object or list, else by the detectors. A text that is not JSON
// is hidden whole when masks have JSON paths, unless they let it pass.
func (w *work) text(o *object, name string) error {
	if o.get(name) == nil {
		return nil
	}
	s, ok := o.text(name)
	if !ok {
		return broken()
	}
	out, n, err := maskText(w.plan, []byte(s))
	if err != nil {
		return err
	}
	if n > 0 {
		o.set(name, quote(string(out)))
		w.out.Masked += n
		w.changed = true
	}
	return nil
}

func maskText(plan *mask.Plan, s []byte) (out []byte, n int, err error) {
	body := bytes.TrimSpace(s)
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') && json.Valid(body) {
		return maskJSON(plan, s, true)
	}
	if len(body) > 0 && (!plan.PassText() || plan.HasJSON() && jsonbody.Looks(body)) {
		return []byte(mask.Hidden), 1, nil
	}
	v := plan.Values()
	out, _, n = v.Text(nil, mask.Named{}, nil, s)
	return out, n, nil
}

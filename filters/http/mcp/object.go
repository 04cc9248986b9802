package mcp

import (
	"bytes"
	"encoding/json"
	"io"

	"dragoman.dev/dragoman/filters/http/request"
)

// object is a JSON object with its members in order, so that what is not
// touched goes out as it came.
type object []member

type member struct {
	name string
	raw  json.RawMessage
}

// maxMembers bounds the objects that are taken apart here: messages, results, items of a list.
const maxMembers = 4096

// readObject takes an object apart, one level deep. ok is false when it is none, or
// when two of its names are equal but for case.
func readObject(raw []byte) (o object, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, isText := t.(string)
		if err != nil || !isText {
			return nil, false
		}
		var value json.RawMessage
		folded := request.Fold(name)
		if d.Decode(&value) != nil || seen[folded] || len(o) >= maxMembers {
			return nil, false
		}
		seen[folded] = true
		o = append(o, member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token() // More is false before a bracket, too
	return o, err == io.EOF
}

// get is a member's value, nil without it.
func (o object) get(name string) json.RawMessage {
	for i := range o {
		if o[i].name == name {
			return o[i].raw
		}
	}
	return nil
}

// text is a member's value if it is a string.
func (o object) text(name string) (s string, ok bool) {
	raw := o.get(name)
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// set changes or adds a member.
func (o *object) set(name string, raw []byte) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].raw = raw
			return
		}
	}
	*o = append(*o, member{name, raw})
}

// append writes the object.
func (o object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, quote(m.name)...), ':'), m.raw...)
	}
	return append(dst, '}')
}

// quote is a text as JSON, for readers that take <, > and & as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string, so this cannot be
		return []byte(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// readList takes a list apart.
func readList(raw []byte) (items []json.RawMessage, ok bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	return items, json.Unmarshal(raw, &items) == nil
}

func appendList(dst []byte, items []json.RawMessage) []byte {
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, item...)
	}
	return append(dst, ']')
}

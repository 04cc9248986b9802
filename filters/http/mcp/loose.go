package mcp

import (
	"bytes"
	"encoding/json"
	"slices"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/filters/http/request"
)

// maybe is a body of which its head does not say that it is JSON-RPC, and which may be so all the same: an error with
// a status of 400, another type for JSON. It is kept until it is known.
func (r *Reply) maybe(h content.Head) (err error) {
	r.failed = h.Status >= 400
	if _, unknown := coding.Parse(h.Encoding); unknown != nil {
		r.other, err = content.New(h, r.plan, content.Limits{})
		return err
	}
	plain := h
	plain.Encoding = ""
	if r.loose, err = content.New(plain, r.plan, content.Limits{}); err != nil {
		return err
	}
	return r.decode(h)
}

// spill masks what has come as content of its type: it is not JSON-RPC.
func (r *Reply) spill(plain []byte) (err error) {
	r.spilled = true
	for _, b := range [][]byte{r.buf, plain} {
		if err == nil && len(b) > 0 {
			r.dst, err = r.loose.Write(r.dst, b)
		}
	}
	r.buf = nil
	return err
}

// isRPC reports whether a body is to be read as JSON-RPC: as soon as anything in it says so.
func isRPC(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
		return false
	}
	items := []json.RawMessage{raw}
	if raw[0] == '[' {
		items, _ = readList(raw)
	}
	for _, item := range items {
		o, ok := readObject(item)
		if !ok && len(item) > 0 && item[0] == '{' && json.Valid(item) {
			return true // a name twice: it can be read in two ways
		}
		if slices.ContainsFunc(o, func(m member) bool { return request.Fold(m.name) == "jsonrpc" }) {
			return true
		}
	}
	return !json.Valid(raw) && bytes.Contains(bytes.ToLower(raw), []byte("jsonrpc"))
}

package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
)

// Documents are what a body sets: the object or patch itself, or, of a JSON patch, what each of its operations sets. What
// cannot be read has none; Action says so.
func Documents(contentType string, body []byte) []any {
	doc, err := decode(body)
	if err != nil {
		return nil
	}
	if t, _, err := mime.ParseMediaType(contentType); err != nil || t != "application/json-patch+json" {
		return []any{doc}
	}
	w := &walker{features: map[string]any{}, sets: map[string]map[string]bool{}}
	list, _ := w.operations(doc).([]any)
	return list
}

// decode reads one JSON document in which no name is there twice: readers differ about which one counts.
func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one document")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	delim, ok := t.(json.Delim)
	if err != nil || !ok {
		return t, err
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("nested too deep")
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	m := map[string]any{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := k.(string)
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("a name is there twice")
		}
		if m[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return m, err
}

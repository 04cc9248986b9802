package main

// #include "http.h"
// #cgo noescape dgm_http_set
// #cgo noescape dgm_http_add
import "C"

import (
	"strconv"
	"strings"
	"unsafe"
)

// headerMap is a head or trailers: a copy of what Envoy has, changed on both sides at once.
type headerMap struct {
	s    *stream
	kind C.int
	list []headerPair
}

type headerPair struct{ key, value string }

// load copies what Envoy has, in one piece.
func (m *headerMap) load(s *stream, kind C.int, list []C.dgm_header) {
	m.s, m.kind = s, kind
	n := 0
	for i := range list {
		n += int(list[i].key_length) + int(list[i].value_length)
	}
	var b strings.Builder
	b.Grow(n)
	for i := range list {
		h := &list[i]
		b.Write(unsafe.Slice((*byte)(unsafe.Pointer(h.key)), h.key_length))
		b.Write(unsafe.Slice((*byte)(unsafe.Pointer(h.value)), h.value_length))
	}
	text := b.String()
	m.list = make([]headerPair, len(list), len(list)+4)
	for i := range list {
		k, v := int(list[i].key_length), int(list[i].value_length)
		m.list[i] = headerPair{text[:k], text[k : k+v]}
		text = text[k+v:]
	}
}

func (m *headerMap) GetRaw(name string) string {
	v, _ := m.Get(name)
	return v
}

// Get: Envoy's names are in lower case.
func (m *headerMap) Get(key string) (string, bool) {
	for i := range m.list {
		if strings.EqualFold(m.list[i].key, key) {
			return m.list[i].value, true
		}
	}
	return "", false
}

func (m *headerMap) Values(key string) []string {
	var all []string
	for i := range m.list {
		if strings.EqualFold(m.list[i].key, key) {
			all = append(all, m.list[i].value)
		}
	}
	return all
}

// Set to "" removes: Envoy's ABI has no header without a value.
func (m *headerMap) Set(key, value string) {
	key = strings.ToLower(key)
	if value == "" {
		m.Del(key)
		return
	}
	at := -1
	kept := m.list[:0]
	for _, h := range m.list {
		if h.key != key {
			kept = append(kept, h)
		} else if at < 0 {
			at = len(kept)
			kept = append(kept, headerPair{key, value})
		}
	}
	if at < 0 {
		kept = append(kept, headerPair{key, value})
	}
	m.list = kept
	m.put(key, value)
}

func (m *headerMap) put(key, value string) {
	if m.s == nil || m.s.gone || key == "" {
		return
	}
	k, v := unsafe.Pointer(unsafe.StringData(key)), unsafe.Pointer(unsafe.StringData(value))
	if !bool(C.dgm_http_set(m.s.envoy, m.kind, k, C.size_t(len(key)), v, C.size_t(len(value)))) {
		panic("Envoy did not take a header")
	}
}

func (m *headerMap) Add(key, value string) {
	key = strings.ToLower(key)
	m.list = append(m.list, headerPair{key, value})
	if m.s == nil || m.s.gone || key == "" {
		return
	}
	k, v := unsafe.Pointer(unsafe.StringData(key)), unsafe.Pointer(unsafe.StringData(value))
	if !bool(C.dgm_http_add(m.s.envoy, m.kind, k, C.size_t(len(key)), v, C.size_t(len(value)))) {
		panic("Envoy did not take a header")
	}
}

func (m *headerMap) Del(key string) {
	key = strings.ToLower(key)
	kept := m.list[:0]
	for _, h := range m.list {
		if h.key != key {
			kept = append(kept, h)
		}
	}
	if len(kept) == len(m.list) {
		return
	}
	m.list = kept
	m.put(key, "")
}

func (m *headerMap) Range(f func(key, value string) bool) {
	for _, h := range m.list {
		if !f(h.key, h.value) {
			return
		}
	}
}

// RangeWithCopy is Range: all are copies.
func (m *headerMap) RangeWithCopy(f func(key, value string) bool) { m.Range(f) }

func (m *headerMap) GetAllHeaders() map[string][]string {
	all := make(map[string][]string, len(m.list))
	for _, h := range m.list {
		all[h.key] = append(all[h.key], h.value)
	}
	return all
}

type requestHeaders struct{ *headerMap }

func (m requestHeaders) Scheme() string          { return m.GetRaw(":scheme") }
func (m requestHeaders) Method() string          { return m.GetRaw(":method") }
func (m requestHeaders) Host() string            { return m.GetRaw(":authority") }
func (m requestHeaders) Path() string            { return m.GetRaw(":path") }
func (m requestHeaders) SetMethod(method string) { m.Set(":method", method) }
func (m requestHeaders) SetHost(host string)     { m.Set(":authority", host) }
func (m requestHeaders) SetPath(path string)     { m.Set(":path", path) }

type responseHeaders struct{ *headerMap }

func (m responseHeaders) Status() (int, bool) {
	n, err := strconv.Atoi(m.GetRaw(":status"))
	return n, err == nil
}

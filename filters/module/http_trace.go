package main

// #include "http.h"
// #cgo noescape dgm_http_span_tag
import "C"

import (
	"unsafe"

	"dragoman.dev/dragoman/filters"
)

var _ filters.Traced = (*stream)(nil)

func (s *stream) span() C.dgm_envoy {
	if s.gone {
		return 0
	}
	return C.dgm_http_span(s.envoy)
}

// Trace implements filters.Traced.
func (s *stream) Trace() (trace, span string, ok bool) {
	at := s.span()
	if at == 0 {
		return "", "", false
	}
	var out C.dgm_buffer
	if !bool(C.dgm_http_span_id(at, true, &out)) {
		return "", "", false
	}
	trace = copied(out)
	if !bool(C.dgm_http_span_id(at, false, &out)) {
		return "", "", false
	}
	span = copied(out)
	return trace, span, trace != "" && span != ""
}

// TraceName implements filters.Traced.
func (s *stream) TraceName(name string) { s.tag("", name) }

// TraceTag implements filters.Traced.
func (s *stream) TraceTag(key, value string) {
	if key != "" {
		s.tag(key, value)
	}
}

func (s *stream) tag(key, value string) {
	at := s.span()
	if at == 0 {
		return
	}
	C.dgm_http_span_tag(at, unsafe.Pointer(unsafe.StringData(key)), C.size_t(len(key)),
		unsafe.Pointer(unsafe.StringData(value)), C.size_t(len(value)))
}

package main

// #include "http.h"
import "C"

import (
	"fmt"
	"log/slog"
	"sync"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// The event hooks of HTTP filters, called from http_hooks.c.

// httpConfig is one loaded config of an HTTP filter.
type httpConfig struct {
	http   filters.HTTP
	panics C.size_t
	counts bool
}

var (
	httpConfigs handles[httpConfig]
	streams     handles[stream]

	allHTTPKinds = sync.OnceValue(httpKinds)
)

//export dgmHTTPConfigNew
func dgmHTTPConfigNew(config C.dgm_envoy, name, raw C.dgm_buffer) (handle C.dgm_handle) {
	defer caught("HTTP filter config", func() { handle = 0 })
	kind := copied(name)
	for _, k := range allHTTPKinds() {
		if k.Name != kind {
			continue
		}
		h, err := k.Configure(copiedBytes(raw))
		if err == nil && h == nil {
			err = fmt.Errorf("kind %q gave no filter", kind)
		}
		if err != nil {
			newLogger().Error("filter config rejected", slog.String("filter", kind), slog.Any("error", err))
			return 0
		}
		c := &httpConfig{http: h}
		counter := []byte(panicsCounter)
		c.counts = bool(C.dgm_http_counter(config, unsafe.Pointer(&counter[0]), C.size_t(len(counter)), &c.panics))
		return C.dgm_handle(httpConfigs.add(c))
	}
	newLogger().Error("no such HTTP filter in this module", slog.String("filter", kind))
	return 0
}

//export dgmHTTPConfigDestroy
func dgmHTTPConfigDestroy(h C.dgm_handle) { httpConfigs.remove(uintptr(h)) }

// dgmHTTPBegin makes a stream with the head of its request. Envoy keeps the handle in made, also when the filter could not
// be made: then the stream is answered with 500 or stays stopped.
//
//export dgmHTTPBegin
func dgmHTTPBegin(config C.dgm_handle, envoy C.dgm_envoy, list *C.dgm_header, n C.size_t, end C.bool, made *C.dgm_handle) (status C.int) {
	status = headersStop
	cfg := httpConfigs.get(uintptr(config))
	if cfg == nil {
		return status
	}
	s := newStream(cfg, envoy)
	h := C.dgm_handle(streams.add(s))
	if h == 0 {
		C.dgm_http_scheduler_delete(s.scheduler)
		return status
	}
	*made = h
	s.enter()
	func() {
		defer s.leave("new stream", &status)
		s.filter = cfg.http.NewStream(s)
	}()
	if s.over() {
		return headersStop
	}
	return dgmHTTPHeaders(h, C.DGM_REQUEST_HEADERS, list, n, end)
}

// Statuses of the ABI (FilterHeadersStatus and FilterDataStatus).
const (
	headersContinue     = 0
	headersStop         = 1
	headersContinueOpen = 2
	dataContinue        = 0
	dataStopBuffer      = 1
	dataStopWatermark   = 2
	dataStopNoBuffer    = 3
)

// dgmHTTPHeaders is a head or trailers, of the request or of the response.
//
//export dgmHTTPHeaders
func dgmHTTPHeaders(h C.dgm_handle, kind C.int, list *C.dgm_header, n C.size_t, end C.bool) (status C.int) {
	s := streams.get(uintptr(h))
	if s != nil && s.replied && (kind == C.DGM_RESPONSE_HEADERS || kind == C.DGM_RESPONSE_TRAILERS) {
		return headersContinue // our own answer: 1.38 shows it
	}
	if s == nil || s.over() {
		return headersStop
	}
	status = headersStop
	s.enter()
	defer s.leave("headers", &status)
	m := &s.headers[kind]
	m.load(s, kind, unsafe.Slice(list, n))
	var got api.StatusType
	switch kind {
	case C.DGM_REQUEST_HEADERS:
		got = s.filter.DecodeHeaders(requestHeaders{m}, bool(end))
	case C.DGM_REQUEST_TRAILERS:
		got = s.filter.DecodeTrailers(m)
	case C.DGM_RESPONSE_HEADERS:
		s.answered = true
		s.complete = bool(end)
		got = s.filter.EncodeHeaders(responseHeaders{m}, bool(end))
	case C.DGM_RESPONSE_TRAILERS:
		s.complete = true
		got = s.filter.EncodeTrailers(m)
	}
	return headersStatus(got)
}

func headersStatus(s api.StatusType) C.int {
	switch s {
	case api.Continue, api.HeaderContinue, api.TrailerContinue:
		return headersContinue
	case api.HeaderContinueAndDontEndStream:
		return headersContinueOpen
	}
	return headersStop
}

//export dgmHTTPBody
func dgmHTTPBody(h C.dgm_handle, kind C.int, chunks *C.dgm_buffer, n C.size_t, end C.bool) (status C.int) {
	s := streams.get(uintptr(h))
	if s != nil && s.replied && kind == C.DGM_RESPONSE_BODY {
		return dataContinue
	}
	if s == nil || s.over() {
		return dataStopNoBuffer
	}
	status = dataStopNoBuffer
	s.enter()
	defer s.leave("body", &status)
	b := &body{list: unsafe.Slice(chunks, n)}
	var got api.StatusType
	if kind == C.DGM_REQUEST_BODY {
		got = s.filter.DecodeData(b, bool(end))
	} else {
		s.complete = bool(end)
		got = s.filter.EncodeData(b, bool(end))
	}
	if !s.over() && !b.settle(s, kind) {
		panic("Envoy did not take the body")
	}
	return dataStatus(got)
}

func dataStatus(s api.StatusType) C.int {
	switch s {
	case api.Continue, api.DataContinue:
		return dataContinue
	case api.StopAndBuffer, api.DataStopIterationAndBuffer:
		return dataStopBuffer
	case api.Running, api.StopAndBufferWatermark, api.DataStopIterationAndWatermark:
		return dataStopWatermark
	}
	return dataStopNoBuffer
}

//export dgmHTTPScheduled
func dgmHTTPScheduled(h C.dgm_handle) {
	if s := streams.get(uintptr(h)); s != nil {
		s.posts.run(s.runOne)
	}
}

//export dgmHTTPDestroy
func dgmHTTPDestroy(h C.dgm_handle) {
	s := streams.get(uintptr(h))
	if s == nil {
		return
	}
	streams.remove(uintptr(h))
	s.destroy()
}

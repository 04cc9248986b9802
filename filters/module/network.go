package main

// #include "abi.h"
import "C"

import (
	"fmt"
	"log/slog"
	"sync"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// The event hooks of network filters, called from hooks.c.

// networkConfig is one loaded config of a network filter.
type networkConfig struct {
	kind    string
	network filters.Network
	panics  C.size_t
	counts  bool
}

var (
	networkConfigs handles[networkConfig]
	conns          handles[conn]

	allNetworkKinds  = sync.OnceValue(networkKinds)
	allListenerKinds = sync.OnceValue(listenerKinds)
)

//export dgmNetworkConfigNew
func dgmNetworkConfigNew(config C.dgm_envoy, name, raw C.dgm_buffer) (handle C.dgm_handle) {
	defer caught("network filter config", func() { handle = 0 })
	kind := copied(name)
	for _, k := range allNetworkKinds() {
		if k.Name != kind {
			continue
		}
		network, err := k.Configure(copiedBytes(raw))
		if err == nil && network == nil {
			err = fmt.Errorf("kind %q gave no filter", kind)
		}
		if err != nil {
			newLogger().Error("filter config rejected", slog.String("filter", kind), slog.Any("error", err))
			return 0
		}
		c := &networkConfig{kind: kind, network: network}
		counter := []byte(panicsCounter)
		c.counts = bool(C.dgm_network_counter(config, unsafe.Pointer(&counter[0]), C.size_t(len(counter)), &c.panics))
		return C.dgm_handle(networkConfigs.add(c))
	}
	newLogger().Error("no such network filter in this module", slog.String("filter", kind))
	return 0
}

//export dgmNetworkConfigDestroy
func dgmNetworkConfigDestroy(h C.dgm_handle) { networkConfigs.remove(uintptr(h)) }

//export dgmNetworkNew
func dgmNetworkNew(config C.dgm_handle, envoy C.dgm_envoy) (handle C.dgm_handle) {
	// 0 makes Envoy close the connection.
	defer caught("new connection", func() { handle = 0 })
	cfg := networkConfigs.get(uintptr(config))
	if cfg == nil {
		return 0
	}
	c := newConn(cfg, envoy)
	h := conns.add(c)
	if h == 0 {
		C.dgm_scheduler_delete(c.scheduler)
	}
	return C.dgm_handle(h)
}

//export dgmNetworkConnection
func dgmNetworkConnection(h C.dgm_handle) {
	c := conns.get(uintptr(h))
	if c == nil {
		return
	}
	c.enter()
	defer c.leave("OnNewConnection")
	c.down, c.up = c.cfg.network.NewConn(c)
	c.flow, _ = c.down.(filters.FlowAware)
	c.down.OnNewConnection()
}

// dgmNetworkRead reports whether something waits for the read buffer to be drained.
//
//export dgmNetworkRead
func dgmNetworkRead(h C.dgm_handle, chunks *C.dgm_buffer, n C.size_t, end C.bool) (settle C.int) {
	c := conns.get(uintptr(h))
	if c == nil || c.over() {
		return 0
	}
	c.enter()
	defer func() {
		c.reading = false
		if c.connectWanted || len(c.early) > 0 || c.earlyEnd {
			settle = 1
		}
	}()
	defer c.leave("OnData from the client")
	if c.full {
		c.upstreamReady() // tcp_proxy lets us read again
	}
	c.reading = true
	list := unsafe.Slice(chunks, n)
	for i := range list {
		if c.over() {
			return
		}
		c.down.OnData(borrowed(list[i]), bool(end) && i == len(list)-1)
	}
	if len(list) == 0 && bool(end) {
		c.down.OnData(nil, true)
	}
	return
}

//export dgmNetworkSettle
func dgmNetworkSettle(h C.dgm_handle) {
	c := conns.get(uintptr(h))
	if c == nil || c.over() {
		return
	}
	c.enter()
	defer c.leave("connect")
	c.carryOutConnect()
	c.flushEarly()
}

//export dgmNetworkWrite
func dgmNetworkWrite(h C.dgm_handle, chunks *C.dgm_buffer, n C.size_t, end C.bool) {
	c := conns.get(uintptr(h))
	if c == nil || c.over() {
		return
	}
	c.enter()
	defer c.leave("OnData from the target")
	c.upstreamReady()
	list := unsafe.Slice(chunks, n)
	for i := range list {
		if c.over() {
			return
		}
		c.up.OnData(borrowed(list[i]), bool(end) && i == len(list)-1)
	}
	if len(list) == 0 && bool(end) {
		c.up.OnData(nil, true)
	}
}

//export dgmNetworkEvent
func dgmNetworkEvent(h C.dgm_handle, event C.int) {
	c := conns.get(uintptr(h))
	if c == nil {
		return
	}
	e := api.ConnectionEvent(event)
	if e == api.RemoteClose || e == api.LocalClose {
		c.closed()
	}
	c.enter()
	defer c.leave("event")
	c.events = append(c.events, e) // delivered by the outermost leave
}

//export dgmNetworkScheduled
func dgmNetworkScheduled(h C.dgm_handle) {
	c := conns.get(uintptr(h))
	if c == nil {
		return
	}
	c.runPosted()
}

//export dgmNetworkWatermark
func dgmNetworkWatermark(h C.dgm_handle, high C.bool) {
	c := conns.get(uintptr(h))
	if c == nil || c.over() || c.flow == nil {
		return
	}
	c.enter()
	defer c.leave("watermark")
	if high {
		c.flow.OnHighWatermark()
	} else {
		c.flow.OnLowWatermark()
	}
}

//export dgmNetworkDestroy
func dgmNetworkDestroy(h C.dgm_handle) {
	c := conns.get(uintptr(h))
	if c == nil {
		return
	}
	conns.remove(uintptr(h))
	c.destroy()
}

// borrowed is valid until Envoy's callback returns.
func borrowed(b C.dgm_buffer) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(b.ptr)), b.length)
}

func copied(b C.dgm_buffer) string { return string(borrowed(b)) }

func copiedBytes(b C.dgm_buffer) []byte { return append([]byte(nil), borrowed(b)...) }

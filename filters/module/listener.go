package main

// #include "abi.h"
// #cgo noescape dgm_socket_write
import "C"

import (
	"errors"
	"fmt"
	"log/slog"
	"unsafe"

	"dragoman.dev/dragoman/filters"
)

// The event hooks of listener filters, called from hooks.c.

type listenerConfig struct {
	make   func() filters.Listener
	panics C.size_t
	counts bool
}

// socket is one accepted socket and its filter.
type socket struct {
	cfg    *listenerConfig
	envoy  C.dgm_envoy
	filter filters.Listener
	peeked int // bytes shown and not drained
	shut   bool
}

var (
	listenerConfigs handles[listenerConfig]
	sockets         handles[socket]
)

// What a hook returns (envoy_dynamic_module_type_on_listener_filter_status).
const (
	chainContinue = 0
	chainStop     = 1
)

//export dgmListenerConfigNew
func dgmListenerConfigNew(config C.dgm_envoy, name, raw C.dgm_buffer) (handle C.dgm_handle) {
	defer caught("listener filter config", func() { handle = 0 })
	kind := copied(name)
	for _, k := range allListenerKinds() {
		if k.Name != kind {
			continue
		}
		mk, err := k.Configure(copiedBytes(raw))
		if err == nil && mk == nil {
			err = fmt.Errorf("kind %q gave no filter", kind)
		}
		if err != nil {
			newLogger().Error("filter config rejected", slog.String("filter", kind), slog.Any("error", err))
			return 0
		}
		c := &listenerConfig{make: mk}
		counter := []byte(panicsCounter)
		c.counts = bool(C.dgm_listener_counter(config, unsafe.Pointer(&counter[0]), C.size_t(len(counter)), &c.panics))
		return C.dgm_handle(listenerConfigs.add(c))
	}
	newLogger().Error("no such listener filter in this module", slog.String("filter", kind))
	return 0
}

//export dgmListenerConfigDestroy
func dgmListenerConfigDestroy(h C.dgm_handle) { listenerConfigs.remove(uintptr(h)) }

//export dgmListenerNew
func dgmListenerNew(config C.dgm_handle, envoy C.dgm_envoy) (handle C.dgm_handle) {
	defer caught("new socket", func() { handle = 0 })
	cfg := listenerConfigs.get(uintptr(config))
	if cfg == nil {
		return 0
	}
	return C.dgm_handle(sockets.add(&socket{cfg: cfg, envoy: envoy, filter: cfg.make()}))
}

//export dgmListenerAccept
func dgmListenerAccept(h C.dgm_handle) C.int {
	s := sockets.get(uintptr(h))
	if s == nil {
		return chainStop
	}
	return s.settle(s.ask("OnAccept", func() filters.SocketStatus { return s.filter.OnAccept(s) }))
}

//export dgmListenerData
func dgmListenerData(h C.dgm_handle, peeked C.dgm_buffer) C.int {
	s := sockets.get(uintptr(h))
	if s == nil {
		return chainStop
	}
	s.peeked = int(peeked.length)
	return s.settle(s.ask("OnData of a socket", func() filters.SocketStatus {
		return s.filter.OnData(s, borrowed(peeked))
	}))
}

//export dgmListenerMaxPeek
func dgmListenerMaxPeek(h C.dgm_handle) (n C.size_t) {
	defer caught("MaxPeek", func() { n = 0 })
	s := sockets.get(uintptr(h))
	if s == nil {
		return 0
	}
	return C.size_t(max(0, s.filter.MaxPeek()))
}

//export dgmListenerDestroy
func dgmListenerDestroy(h C.dgm_handle) { sockets.remove(uintptr(h)) }

// ask calls the filter; a panic closes.
func (s *socket) ask(where string, f func() filters.SocketStatus) (status filters.SocketStatus) {
	defer caught(where, func() {
		status = filters.SocketClose
		if s.cfg.counts {
			C.dgm_listener_count(s.envoy, s.cfg.panics)
		}
	})
	return f()
}

func (s *socket) settle(status filters.SocketStatus) C.int {
	switch {
	case s.shut:
		return chainStop
	case status == filters.SocketDone:
		return chainContinue
	case status == filters.SocketNeedMore:
		return chainStop
	}
	s.Close()
	return chainStop
}

// Drain implements filters.Socket.
func (s *socket) Drain(n int) error {
	if n == 0 {
		return nil
	}
	if n < 0 || n > s.peeked {
		return fmt.Errorf("drain %d bytes of %d peeked", n, s.peeked)
	}
	if !bool(C.dgm_socket_drain(s.envoy, C.size_t(n))) {
		return errors.New("drain: Envoy refused")
	}
	s.peeked -= n
	return nil
}

// Write implements filters.Socket. What it is for are a few bytes; a socket that
// does not take them at once is not worth waiting for.
func (s *socket) Write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n := C.dgm_socket_write(s.envoy, unsafe.Pointer(&b[0]), C.size_t(len(b)))
	if int(n) != len(b) {
		return fmt.Errorf("write to the socket: %d of %d bytes taken", int64(n), len(b))
	}
	return nil
}

// Close implements filters.Socket.
func (s *socket) Close() {
	if !s.shut {
		s.shut = true
		C.dgm_socket_close(s.envoy)
	}
}

// ClientAddr implements filters.Socket.
func (s *socket) ClientAddr() string {
	var out C.dgm_buffer
	var port C.uint32_t
	if !bool(C.dgm_socket_remote(s.envoy, &out, &port)) {
		return ""
	}
	return hostPort(copied(out), uint32(port))
}

package main

// #include "abi.h"
// #cgo noescape dgm_usable_hosts
import "C"

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// connectState is how far the way to the target is.
//
//	unconnected → asked → ready | failed
type connectState uint8

const (
	unconnected connectState = iota
	asked                    // tcp_proxy was told to connect
	ready                    // OnPoolReady was called
	failed                   // OnPoolFailure was called
)

// connecting is the part of conn that brings it to its target.
type connecting struct {
	state         connectState
	connectWanted bool   // Connect was called, and is to be carried out after the drain
	cluster       string // set by Route
	overridden    bool   // the endpoint is set by filter state
	early         []byte // written for the target, and not given to Envoy yet
	earlyEnd      bool
	lent          int  // bytes given to Envoy while the target may not be connected
	full          bool // Envoy has as many as it buffers
	timer         *time.Timer
	wait          time.Duration
}

// Envoy buffers early data up to filters.EarlyDataLimit. The write that reaches the
// limit makes tcp_proxy stop reading from the client, once for each such write, but
// it starts again only once. So the host lets one write reach the limit, the
// one that has all of an OnData in it, and keeps what comes after. It keeps at
// most maxEarly, which is more than Envoy reads at a time.
const maxEarly = 2 << 20

// The first and the longest time between two looks at a pending connect.
const (
	firstLook = time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// Connect implements filters.Conn.
func (c *conn) Connect() {
	if c.state != unconnected || c.connectWanted {
		return
	}
	c.connectWanted = true
	if !c.reading {
		c.carryOutConnect()
	}
}

func (c *conn) carryOutConnect() {
	if !c.connectWanted {
		return
	}
	c.connectWanted = false
	c.state = asked
	if c.cluster != "" && !c.overridden && !c.hasEndpoint() {
		c.fail(api.LocalConnectionFailure, "no usable endpoint in cluster "+c.cluster)
		return
	}
	C.dgm_continue_reading(c.envoy)
	c.flushEarly()
	if bool(C.dgm_has_attributes()) {
		c.lookAgain()
	}
}

// flushEarly gives Envoy what the host keeps, if Envoy takes it.
func (c *conn) flushEarly() {
	if c.state == unconnected || c.full || len(c.early) == 0 && !c.earlyEnd {
		return
	}
	early, end := c.early, c.earlyEnd
	c.early, c.earlyEnd = nil, false
	c.injectRead(early, end)
	if c.state != asked {
		return
	}
	if c.lent += len(early); c.lent >= filters.EarlyDataLimit {
		c.full = true
		c.lookAgain()
	}
}

// lookAgain looks at the pending connect after a while.
func (c *conn) lookAgain() {
	if c.state == asked && c.timer == nil && c.open() {
		c.wait = max(firstLook, min(c.wait*2, lastLook))
		c.timer = time.AfterFunc(c.wait, func() {
			c.Post(func() {
				c.timer = nil
				c.checkUpstream()
			})
		})
	}
}

// hasEndpoint is asked first, because tcp_proxy closes the client at once when
// there is none.
func (c *conn) hasEndpoint() bool {
	name := []byte(c.cluster)
	return C.dgm_usable_hosts(c.envoy, unsafe.Pointer(&name[0]), C.size_t(len(name))) > 0
}

// checkUpstream finds out whether the target is connected: tcp_proxy notes the
// local address then. It notes the host as well when an attempt failed.
func (c *conn) checkUpstream() {
	if c.state != asked || !c.open() {
		return
	}
	if !bool(C.dgm_has_attributes()) {
		// Full, and reading all the same: tcp_proxy reads again, so it is connected.
		if c.full && !c.paused && bool(C.dgm_read_enabled(c.envoy)) {
			c.upstreamReady()
			return
		}
		c.lookAgain()
		return
	}
	if addr, ok := c.attribute(C.DGM_ATTR_UPSTREAM_LOCAL_ADDRESS); ok && addr != "" {
		c.upstreamReady()
		return
	}
	// The count includes the attempt that runs now.
	if bool(C.dgm_has_upstream_host(c.envoy)) && c.attempts() > filters.ConnectAttempts {
		c.fail(c.failure())
		return
	}
	c.lookAgain()
}

func (c *conn) attempts() uint64 { return c.count(C.DGM_ATTR_UPSTREAM_REQUEST_ATTEMPT_COUNT) }

// failure is what Envoy knows of why the target is not connected.
func (c *conn) failure() (api.PoolFailureReason, string) {
	transport, _ := c.attribute(C.DGM_ATTR_UPSTREAM_TRANSPORT_FAILURE_REASON)
	why := transport
	if why == "" {
		why, _ = c.attribute(C.DGM_ATTR_CONNECTION_TERMINATION_DETAILS)
	}
	if why == "" {
		why = fmt.Sprintf("no reason given, response flags %#x", c.count(C.DGM_ATTR_RESPONSE_FLAGS))
	}
	return failureKind(transport), fmt.Sprintf("%s (attempts: %d)", why, c.attempts())
}

// failureKind: Envoy gives no text when the cluster's connect_timeout ran out.
func failureKind(why string) api.PoolFailureReason {
	switch {
	case why == "" || strings.Contains(why, "timeout"):
		return api.Timeout
	case strings.Contains(why, "immediate"):
		return api.LocalConnectionFailure
	}
	return api.RemoteConnectionFailure
}

// fail tells the filter, which may tell the client, and ends the connection.
func (c *conn) fail(reason api.PoolFailureReason, why string) {
	c.state = failed
	c.early = nil
	c.stopWatch()
	c.up.OnPoolFailure(reason, why)
	if c.open() {
		c.close(api.FlushWrite, "dragoman_no_target")
	}
}

func (c *conn) upstreamReady() {
	if c.state != asked {
		return
	}
	c.state, c.full = ready, false
	c.stopWatch()
	c.flushEarly()
	c.up.OnPoolReady(&c.upside)
}

// upstreamClosed is called when the connection is over.
func (c *conn) upstreamClosed() {
	c.stopWatch()
	switch c.state {
	case asked:
		kind, why := c.failure()
		c.state = failed
		c.up.OnPoolFailure(kind, why)
	case ready:
		c.up.OnEvent(api.LocalClose)
	}
}

func (c *conn) stopWatch() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// upstream is the target's side of a conn.
type upstream struct{ c *conn }

// Write keeps what Envoy does not take yet. More than maxEarly of it ends the
// connection, because bytes must not be lost silently.
func (u *upstream) Write(b []byte, end bool) {
	c := u.c
	if c.state == failed || c.ended {
		return
	}
	if c.state == ready && len(c.early) == 0 {
		c.injectRead(b, end)
		return
	}
	if len(c.early)+len(b) > maxEarly {
		c.close(api.NoFlush, "dragoman_early_data")
		return
	}
	c.early = append(c.early, b...)
	c.earlyEnd = c.earlyEnd || end
	if !c.reading {
		c.flushEarly()
	}
}

func (c *conn) injectRead(b []byte, end bool) {
	if len(b) > 0 {
		C.dgm_inject_read(c.envoy, unsafe.Pointer(&b[0]), C.size_t(len(b)), C.bool(end))
	} else if end {
		C.dgm_inject_read(c.envoy, nil, 0, true)
	}
}

// Close ends both sides: on this host the target's side has no close of its own.
func (u *upstream) Close(t api.ConnectionCloseType) { u.c.Close(t) }

// EnableHalfClose does nothing: tcp_proxy always has it enabled.
func (u *upstream) EnableHalfClose(bool) {}

func (u *upstream) StreamInfo() api.StreamInfo { return streamInfo{c: u.c} }

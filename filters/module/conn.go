package main

// #include "abi.h"
// #cgo noescape dgm_inject_read
// #cgo noescape dgm_inject_write
// #cgo noescape dgm_close
import "C"

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// conn is one connection and its filter. All fields but those under mu belong to
// the connection's worker.
type conn struct {
	cfg       *networkConfig
	envoy     C.dgm_envoy
	scheduler C.dgm_envoy
	down      api.DownstreamFilter
	up        api.UpstreamFilter
	flow      filters.FlowAware // nil if the filter has no interest
	upside    upstream

	depth   int  // callbacks of ours that are running, one inside the other
	reading bool // the read buffer is not drained yet
	paused  bool
	ended   bool // Envoy said that it is closed
	dead    bool // ended and told, or panicked: the filter is not called any more, but for events
	events  []api.ConnectionEvent
	connecting

	mu        sync.Mutex
	queue     []func()
	spare     []func()
	scheduled bool
	gone      bool // no more posts
}

func newConn(cfg *networkConfig, envoy C.dgm_envoy) *conn {
	c := &conn{cfg: cfg, envoy: envoy, scheduler: C.dgm_scheduler_new(envoy)}
	c.upside.c = c
	return c
}

// enter and leave enclose every call of the filter.
func (c *conn) enter() { c.depth++ }

// leave is to be deferred directly, since it recovers.
func (c *conn) leave(where string) {
	if r := recover(); r != nil {
		c.panicked(where, r)
	}
	if c.depth == 1 {
		for len(c.events) > 0 {
			e := c.events[0]
			c.events = c.events[1:]
			c.deliver(e)
		}
	}
	c.depth--
}

func (c *conn) panicked(where string, r any) {
	logPanic(where, r)
	c.dead = true
	if c.cfg.counts {
		C.dgm_network_count(c.envoy, c.cfg.panics)
	}
	c.close(api.NoFlush, "dragoman_panic")
}

// deliver gives one event to both halves of the filter.
func (c *conn) deliver(e api.ConnectionEvent) {
	defer func() {
		if r := recover(); r != nil {
			c.panicked("OnEvent", r)
		}
	}()
	if c.down == nil { // NewConn did not return
		return
	}
	if e == api.RemoteClose || e == api.LocalClose {
		c.dead = true
		c.upstreamClosed()
	}
	c.down.OnEvent(e)
}

// over says that nothing more is to be given to the filter.
func (c *conn) over() bool { return c.dead || c.ended }

// closed takes no more posts. Envoy calls it before it frees anything.
func (c *conn) closed() {
	c.ended = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone, c.queue = true, nil
}

func (c *conn) destroy() {
	c.dead = true
	c.stopWatch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone, c.queue = true, nil
	C.dgm_scheduler_delete(c.scheduler)
}

func (c *conn) open() bool { return bool(C.dgm_is_open(c.envoy)) }

// Post implements filters.Conn.
func (c *conn) Post(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.queue = append(c.queue, f)
	if !c.scheduled {
		c.scheduled = true
		// Under the lock: the event of the close takes it before Envoy frees
		// what the scheduler needs.
		C.dgm_scheduler_commit(c.scheduler)
	}
	return true
}

// runPosted runs what was posted until now; what these functions post comes next time.
func (c *conn) runPosted() {
	c.mu.Lock()
	run := c.queue
	c.queue, c.spare = c.spare[:0], nil
	c.scheduled = false
	c.mu.Unlock()
	for i, f := range run {
		run[i] = nil
		c.runOne(f)
	}
	c.mu.Lock()
	c.spare = run[:0]
	c.mu.Unlock()
}

func (c *conn) runOne(f func()) {
	if c.over() {
		return
	}
	c.enter()
	defer c.leave("Post")
	f()
}

// Write implements api.ConnectionCallback for the client's side.
func (c *conn) Write(b []byte, end bool) {
	if len(b) > 0 {
		C.dgm_inject_write(c.envoy, unsafe.Pointer(&b[0]), C.size_t(len(b)), C.bool(end))
	} else if end {
		C.dgm_inject_write(c.envoy, nil, 0, true)
	}
}

// Close implements api.ConnectionCallback. The target's side is closed with it.
func (c *conn) Close(t api.ConnectionCloseType) { c.close(t, "dragoman_close") }

func (c *conn) close(t api.ConnectionCloseType, details string) {
	if t < api.FlushWrite || t > api.AbortReset {
		t = api.NoFlush
	}
	d := []byte(details)
	C.dgm_close(c.envoy, C.int(t), unsafe.Pointer(&d[0]), C.size_t(len(d)))
}

// EnableHalfClose implements api.ConnectionCallback. tcp_proxy has it enabled.
func (c *conn) EnableHalfClose(enabled bool) {
	if c.open() {
		C.dgm_enable_half_close(c.envoy, C.bool(enabled))
	}
}

// StreamInfo implements api.ConnectionCallback.
func (c *conn) StreamInfo() api.StreamInfo { return streamInfo{c: c} }

// ID implements filters.Conn.
func (c *conn) ID() uint64 { return uint64(C.dgm_connection_id(c.envoy)) }

// Upstream implements filters.Conn.
func (c *conn) Upstream() api.ConnectionCallback { return &c.upside }

// PauseReads implements filters.Conn. Envoy counts, we do not.
func (c *conn) PauseReads(pause bool) {
	if c.paused == pause || !c.open() {
		return
	}
	c.paused = pause
	C.dgm_read_disable(c.envoy, C.bool(pause))
}

// clusterKey is the filter state that tcp_proxy takes its cluster from.
const clusterKey = "envoy.tcp_proxy.cluster"

// Route implements filters.Conn.
func (c *conn) Route(cluster string) error {
	if cluster == "" {
		return errors.New("route: no cluster named")
	}
	if c.state != unconnected {
		return errors.New("route: the connection to the target is already under way")
	}
	if !c.setState(clusterKey, cluster) {
		return errors.New("route: Envoy did not take the cluster")
	}
	c.cluster = cluster
	return nil
}

// StartUpstreamTLS implements filters.Conn.
func (c *conn) StartUpstreamTLS() error {
	// tcp_proxy has an upstream from the moment it is connected; to ask before
	// that would make Envoy follow a null pointer.
	if c.state != ready || !c.open() {
		return errors.New("start TLS to the target: not connected")
	}
	if !bool(C.dgm_start_upstream_tls(c.envoy)) {
		return errors.New("start TLS to the target: its transport socket is not starttls")
	}
	return nil
}

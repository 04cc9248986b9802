//go:build modtest

package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// The kinds of the test build, for the tests of the host itself and of package envoy.

func networkKinds() []filters.NetworkKind {
	gateConfig := new(atomic.Pointer[string])
	return []filters.NetworkKind{
		kind("passthrough", func(c filters.Conn, _ string) *testFilter {
			return &testFilter{conn: c, onNew: c.Connect}
		}),
		{Name: "gate", Configure: func(config []byte) (filters.Network, error) {
			if string(config) == "reject" {
				return nil, fmt.Errorf("told to reject")
			}
			s := string(config)
			gateConfig.Store(&s)
			return network(func(c filters.Conn) *testFilter { return newGate(c, gateConfig) }), nil
		}},
		kind("panicker", newPanicker),
		kind("starttls", newStartTLS),
		kind("poster", newPoster),
		kind("dial", newDial),
		{Name: "flood", Configure: func([]byte) (filters.Network, error) { return flood{}, nil }},
	}
}

func listenerKinds() []filters.ListenerKind {
	return []filters.ListenerKind{{
		Name: "sslrequest",
		Configure: func([]byte) (func() filters.Listener, error) {
			return func() filters.Listener { return &sslRequest{} }, nil
		},
	}}
}

func kind(name string, f func(filters.Conn, string) *testFilter) filters.NetworkKind {
	return filters.NetworkKind{Name: name, Configure: func(config []byte) (filters.Network, error) {
		return network(func(c filters.Conn) *testFilter { return f(c, string(config)) }), nil
	}}
}

type network func(filters.Conn) *testFilter

func (n network) NewConn(c filters.Conn) (api.DownstreamFilter, api.UpstreamFilter) {
	f := n(c)
	return f, (*testUpstream)(f)
}

// testFilter passes everything through but for what its funcs say.
type testFilter struct {
	conn      filters.Conn
	onNew     func()
	onClient  func(b []byte, end bool) (done bool)
	onTarget  func(b []byte, end bool) (done bool)
	onReady   func()
	onFailure func(api.PoolFailureReason, string)
	onEvent   func(api.ConnectionEvent)
}

func (f *testFilter) OnNewConnection() api.FilterStatus {
	if f.onNew != nil {
		f.onNew()
	}
	return api.NetworkFilterContinue
}

func (f *testFilter) OnData(b []byte, end bool) api.FilterStatus {
	if f.onClient == nil || !f.onClient(b, end) {
		f.conn.Upstream().Write(b, end)
	}
	return api.NetworkFilterContinue
}

func (f *testFilter) OnEvent(e api.ConnectionEvent) {
	if f.onEvent != nil {
		f.onEvent(e)
	}
}

func (f *testFilter) OnWrite([]byte, bool) api.FilterStatus { return api.NetworkFilterContinue }

type testUpstream testFilter

func (u *testUpstream) OnPoolReady(api.ConnectionCallback) {
	if u.onReady != nil {
		u.onReady()
	}
}

func (u *testUpstream) OnPoolFailure(r api.PoolFailureReason, why string) {
	if u.onFailure != nil {
		u.onFailure(r, why)
	}
}

func (u *testUpstream) OnData(b []byte, end bool) {
	if u.onTarget == nil || !u.onTarget(b, end) {
		u.conn.Write(b, end)
	}
}

func (u *testUpstream) OnEvent(api.ConnectionEvent) {}

func say(c filters.Conn, format string, args ...any) {
	c.Write(fmt.Appendf(nil, format, args...), false)
}

// newGate answers commands, one a read, and connects at "open", in the order:
// a goroutine, Post, Connect, then what came before. "config" answers with the
// config in force, now, whatever it was when this connection came.
func newGate(c filters.Conn, config *atomic.Pointer[string]) *testFilter {
	opened := false
	f := &testFilter{conn: c}
	f.onClient = func(b []byte, _ bool) bool {
		cmd := strings.TrimSpace(string(b))
		switch {
		case cmd == "config":
			say(c, "%s\n", *config.Load())
		case cmd == "info":
			t := c.TLS()
			say(c, "%d client=%s local=%s upstream=%q tls=%v sni=%q uri=%q\n", c.ID(), c.ClientAddr(), c.LocalAddr(),
				c.UpstreamAddr(), t.Active, t.ServerName, t.URISANs)
		case opened:
			return false
		case strings.HasPrefix(cmd, "route "):
			if err := c.Route(strings.TrimPrefix(cmd, "route ")); err != nil {
				say(c, "%v\n", err)
			} else {
				say(c, "routed\n")
			}
		case cmd == "pause":
			c.PauseReads(true)
			c.PauseReads(true) // does not count
			time.AfterFunc(200*time.Millisecond, func() {
				c.Post(func() {
					say(c, "resumed\n")
					c.PauseReads(false)
				})
			})
		case strings.HasPrefix(cmd, "to "):
			state := c.StreamInfo().FilterState()
			state.SetString(originalDst, strings.TrimPrefix(cmd, "to "), api.StateTypeReadOnly, api.LifeSpanConnection, api.None)
			say(c, "%s\n", state.GetString(originalDst))
		case cmd == "open":
			opened = true
			go c.Post(func() {
				c.Upstream().Write([]byte("before "), false)
				c.Connect()
				c.Connect()
				c.Upstream().Write([]byte("after\n"), false)
			})
		default:
			say(c, "closed\n")
		}
		return true
	}
	return f
}

// newPanicker connects at once, and panics as it is told.
func newPanicker(c filters.Conn, config string) *testFilter {
	if config == "new" {
		panic("told to, in NewConn")
	}
	return &testFilter{
		conn:  c,
		onNew: c.Connect,
		onClient: func(b []byte, _ bool) bool {
			switch {
			case bytes.Contains(b, []byte("panic in post")):
				go c.Post(func() { panic("told to, in Post") })
			case bytes.Contains(b, []byte("panic nil")):
				var p *testFilter
				p.conn = c
			case bytes.Contains(b, []byte("panic now")):
				panic("told to, in OnData")
			default:
				return false
			}
			return true
		},
		onTarget: func(b []byte, _ bool) bool {
			if bytes.Contains(b, []byte("panic target")) {
				panic("told to, in the target's OnData")
			}
			return false
		},
		onEvent: func(e api.ConnectionEvent) {
			if config == "event" && e != api.Connected {
				panic("told to, in OnEvent")
			}
		},
	}
}

// newStartTLS is a tiny STARTTLS client: it says so, waits for "go", starts TLS,
// and reports the certificate with the first bytes that come through it.
func newStartTLS(c filters.Conn, _ string) *testFilter {
	var secure, told bool
	return &testFilter{
		conn: c,
		onNew: func() {
			c.Connect()
			c.Upstream().Write([]byte("STARTTLS\n"), false)
		},
		onTarget: func(b []byte, end bool) bool {
			switch {
			case !secure:
				if err := c.StartUpstreamTLS(); err != nil {
					say(c, "%v\n", err)
				}
				secure = true
				c.Upstream().Write([]byte("hello over TLS\n"), false)
				return true
			case !told:
				told = true
				say(c, "cert=%s\n", hex.EncodeToString(c.UpstreamCertSHA256()))
			}
			return false
		},
	}
}

// newPoster answers each line with a burst of posts from several goroutines; the
// numbers of each goroutine must come back in order.
func newPoster(c filters.Conn, _ string) *testFilter {
	return &testFilter{conn: c, onClient: func(_ []byte, end bool) bool {
		if end {
			c.Close(api.FlushWrite)
			return true
		}
		for g := range 4 {
			go func() {
				for i := range 250 {
					c.Post(func() { say(c, "%d %d\n", g, i) })
				}
			}()
		}
		return true
	}}
}

// newDial connects at once, to the cluster in its config if there is one, and
// tells the client how it went.
func newDial(c filters.Conn, config string) *testFilter {
	return &testFilter{
		conn: c,
		onNew: func() {
			if config != "" {
				if err := c.Route(config); err != nil {
					say(c, "%v\n", err)
				}
			}
			c.Connect()
		},
		onReady:   func() { say(c, "ready %s\n", c.UpstreamAddr()) },
		onFailure: func(r api.PoolFailureReason, why string) { say(c, "failed %v: %s\n", r, why) },
	}
}

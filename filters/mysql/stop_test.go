package mysql

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// fakeInfo keeps what a connection is told about its way.
type fakeInfo struct {
	api.StreamInfo
	set fakeState
}

// fakeState is the filter state by name.
type fakeState struct {
	api.FilterState
	values map[string]string
}

func (f *fakeInfo) FilterState() api.FilterState { return &f.set }
func (f *fakeState) SetString(key, value string, _ api.StateType, _ api.LifeSpan, _ api.StreamSharing) {
	f.values[key] = value
}

// leave opens a session with a statement under way, ends the client, and gives the key that the gateway says to itself.
func (r *rig) leave(t *testing.T, text string) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	key, over := make(chan []byte, 1), make(chan struct{})
	t.Cleanup(func() { close(over) })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		defer func() { <-over }() // the key is good as long as the connection is there
		g := wire.Greeting{Version: "8.0.36", Nonce: nonce(), Caps: wire.Offered, Plugin: wire.PluginClear}
		if _, err := c.Write(packet(0, g.Append(nil))); err != nil {
			return
		}
		b := make([]byte, 4096)
		n, err := io.ReadAtLeast(c, b, 36)
		if err != nil {
			return
		}
		if hello, err := wire.DecodeResponse(b[4:n]); err == nil && hello.Plugin == pluginStop && hello.User == "" {
			key <- hello.Auth
		}
	}()
	r.hello()
	r.h.local = l.Addr().String()
	r.query(text)
	r.down.OnData(nil, true)
	select {
	case k := <-key:
		return k
	case <-time.After(time.Minute):
		t.Fatal("the gateway says nothing to itself")
		return nil
	}
}

// stopping is a connection that says the key.
func (r *rig) stopping(key []byte) {
	r.connect()
	res := wire.Response{Caps: wire.CapProtocol41 | wire.CapSecure | wire.CapPluginAuth, Auth: key, Plugin: pluginStop}
	r.client(1, res.Append(nil))
}

// TestStop: what runs for a client that is gone is ended at the target, at the same endpoint.
func TestStop(t *testing.T) {
	r := newRig(t, false)
	key := r.leave(t, "SELECT id FROM orders")
	r.stopping(key)
	if r.h.connects != 1 || r.h.routed != "cancel" || r.h.info.set.values[originalDst] != r.h.UpstreamAddr() {
		t.Fatalf("%d connections, %q, %v, %q", r.h.connects, r.h.routed, r.h.info.set.values, r.h.toClient)
	}
	g := wire.Greeting{Version: "10.11.19-MariaDB", Thread: 8, Nonce: nonce(), Caps: wire.Offered, Plugin: wire.PluginNative}
	r.up.OnData(packet(0, g.Append(nil)), false)
	r.up.OnData(packet(2, wire.AppendOK(nil, wire.OK{})), false)
	if !r.sent("KILL 7") || r.h.closed {
		t.Fatalf("%q", r.h.toTarget)
	}
	r.up.OnData(packet(1, (&wire.Error{Number: errUnknownThread, State: "HY000", Message: "Unknown thread id: 7"}).Append(nil)), false)
	if !r.h.closed || len(r.h.toClient) != 0 {
		t.Errorf("not over: %q", r.h.toClient)
	}
}

// TestStopNothingElse: without the key nothing reaches a target; a target that was started anew has other sessions; TLS is not left out.
func TestStopNothingElse(t *testing.T) {
	r := newRig(t, false)
	key := r.leave(t, "SELECT id FROM orders")
	for _, wrong := range [][]byte{nil, key[:35], append(bytes.Clone(key), 0), append(bytes.Clone(key[:4]), make([]byte, stopSecret)...)} {
		r.stopping(wrong)
		if r.h.connects != 0 || !r.h.closed || len(r.h.toTarget) != 0 || !bytes.Contains(r.h.toClient, []byte("28000")) {
			t.Errorf("%x: %d %q", wrong, r.h.connects, r.h.toClient)
		}
	}
	for _, thread := range []uint32{1, 7} {
		r = newRig(t, false)
		r.stopping(r.leave(t, "SELECT id FROM orders"))
		g := wire.Greeting{Version: "10.11.19-MariaDB", Thread: thread, Nonce: nonce(), Caps: wire.Offered, Plugin: wire.PluginNative}
		r.up.OnData(packet(0, g.Append(nil)), false)
		if len(r.h.toTarget) != 0 || !r.h.closed {
			t.Errorf("thread %d: %q", thread, r.h.toTarget)
		}
	}
	r = newRig(t, false)
	key = r.leave(t, "SELECT id FROM orders")
	r.module.rt.FindCancel(uint32(key[0])|uint32(key[1])<<8|uint32(key[2])<<16|uint32(key[3])<<24, key[4:]).Session.(*leftBehind).tls = true
	r.stopping(key)
	g := wire.Greeting{Version: "10.11.19-MariaDB", Thread: 9, Nonce: nonce(), Caps: wire.Offered &^ wire.CapSSL, Plugin: wire.PluginNative}
	r.up.OnData(packet(0, g.Append(nil)), false)
	if len(r.h.toTarget) != 0 || !r.h.closed {
		t.Errorf("without TLS: %q", r.h.toTarget)
	}
}

// TestNothingLeft: a session that ends with nothing under way, or because its target does, leaves nothing behind.
func TestNothingLeft(t *testing.T) {
	r := newRig(t, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(came)
				return
			}
			c.Close()
			came <- struct{}{}
		}
	}()
	r.hello()
	r.h.local = l.Addr().String()
	r.query("SELECT id FROM orders")
	r.result([][]string{{"1"}}, nil)
	r.down.OnData(nil, true)
	r.connect()
	r.hello()
	r.h.local = l.Addr().String()
	r.query("SELECT id FROM orders")
	r.up.OnEvent(api.RemoteClose)
	if !r.h.closed {
		t.Error("the session lives on")
	}
	l.Close()
	if _, ok := <-came; ok {
		t.Error("the target is asked to end something")
	}
}

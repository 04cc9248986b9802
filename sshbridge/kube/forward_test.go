package kube

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/termmask"
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
)

// forwardingOf is a port-forward whose client is the other side of a connection; what it judges is not reached.
func forwardingOf(t *testing.T) (*forwarding, *spdy.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	_ = a.SetDeadline(time.Now().Add(time.Minute))
	_ = b.SetDeadline(time.Now().Add(time.Minute))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	f := &forwarding{s: &stream{ctx: ctx, cancel: cancel}, client: spdy.New(b, bufio.NewReader(b), false, 2*maxForwarded),
		pairs: map[string]*forwarded{}, streams: map[uint32]*forwarded{}, theirs: map[uint32]*forwarded{}}
	return f, spdy.New(a, bufio.NewReader(a), true, 2*maxForwarded)
}

// TestOddStreams: a stream of a port-forward that is not one of a pair ends the port-forward.
func TestOddStreams(t *testing.T) {
	good := map[string]string{streamType: typeData, portHeader: "80", pairHeader: "0"}
	with := func(name, value string) map[string]string {
		return map[string]string{streamType: good[streamType], portHeader: good[portHeader], pairHeader: good[pairHeader], name: value}
	}
	for name, headers := range map[string][]map[string]string{
		"no port": {with(portHeader, "")}, "port 0": {with(portHeader, "0")}, "a port that is none": {with(portHeader, "65536")}, "a sign": {with(portHeader, "-1")},
		"no request": {with(pairHeader, "")}, "a long request": {with(pairHeader, "123456789012345678901")}, "another type": {with(streamType, "stdin")},
		"no type": {with(streamType, "")}, "twice": {good, good}, "two ports": {good, with(portHeader, "81")},
	} {
		t.Run(name, func(t *testing.T) {
			f, client := forwardingOf(t)
			go func() {
				for _, h := range headers {
					_ = client.Open(h, func(uint32) {})
				}
			}()
			go func() {
				for {
					if _, err := client.Read(); err != nil {
						return
					}
				}
			}()
			if err := f.fromClient(); !errors.Is(err, errChannels) {
				t.Error(err)
			}
			if len(f.theirs) > 0 {
				t.Error("the target is asked for something")
			}
		})
	}
}

// TestEarlyBytes: what a client sends before its connection may be is kept up to a bound, and goes nowhere.
func TestEarlyBytes(t *testing.T) {
	f, client := forwardingOf(t)
	go func() {
		for {
			if _, err := client.Read(); err != nil {
				return
			}
		}
	}()
	cancelled := false
	c := &forwarded{f: f, port: 80, id: "0", data: 1, errors: 3, cancel: func() { cancelled = true }}
	f.streams[1], f.streams[3] = c, c
	for range maxEarly / 1024 {
		if err := c.fromClient(spdy.Event{Kind: spdy.Data, Stream: 1, Data: make([]byte, 1024)}); err != nil || c.isOver() {
			t.Fatal(err, c.place)
		}
	}
	if err := c.fromClient(spdy.Event{Kind: spdy.Data, Stream: 1, Data: []byte("x")}); err != nil || !c.isOver() || !cancelled {
		t.Errorf("after too much: %v, place %d, cancelled %v", err, c.place, cancelled)
	}
	if len(f.streams) > 0 || c.bytes > 0 {
		t.Errorf("%d streams are left, %d bytes moved", len(f.streams), c.bytes)
	}
}

// TestOutput: what is masked leaves in pieces as it came; after the end, or when it is given up, nothing leaves.
func TestOutput(t *testing.T) {
	plan, err := mask.Compile([]mask.Spec{{Name: "pii", Detectors: []string{"email"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tty := range []bool{false, true} {
		var got bytes.Buffer
		var counted int64
		o := newOutput(termmask.New(plan, tty), tty, func(b []byte) error { got.Write(b); return nil }, func(n int64) { counted += n })
		for _, piece := range []string{"mail to alice", "@exam", "ple.com, then ", "go"} {
			if err := o.take([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		o.close()
		if got.String() != "mail to [redacted], then go" || counted != 1 {
			t.Errorf("tty %v: %q, %d masked", tty, got.String(), counted)
		}
		if err := o.take([]byte("more")); err == nil {
			t.Error("it takes more after its end")
		}
	}
	o := newOutput(termmask.New(plan, false), false, func([]byte) error { t.Error("delivered"); return nil }, func(int64) {})
	_ = o.take([]byte("kept"))
	o.abort()
	o.close()
	if err := o.take([]byte("more")); err == nil {
		t.Error("it takes more after it is given up")
	}
}

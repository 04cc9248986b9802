package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
)

// TestSlowClients: who sends a head or a body slowly, or too much, is cut off, and what is a stream is not.
func TestSlowClients(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bodies := make(chan string, 10)
	release := make(chan struct{})
	s := adminServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
		if r.URL.Path == "/stream" {
			fmt.Fprintln(w, "begun")
			_ = http.NewResponseController(w).Flush()
			<-release
			if r.Context().Err() != nil {
				t.Error("a stream is cut off")
			}
			fmt.Fprintln(w, "over")
		}
	}), limits{header: 300 * time.Millisecond, body: 300 * time.Millisecond, idle: time.Minute, conns: 2})
	go s.Serve(netutil.LimitListener(l, 2))
	defer s.Close()
	dial := func(request string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(60 * time.Second))
		io.WriteString(c, request)
		return c, bufio.NewReader(c)
	}
	status := func(r *bufio.Reader) string {
		line, err := r.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(line)
	}
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ":                                                        "EOF",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nslow":                                 "HTTP/1.1 408 Request Timeout",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n":                        "HTTP/1.1 408 Request Timeout",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("x", 1100000): "HTTP/1.1 413 Request Entity Too Large",
	} {
		if _, r := dial(request); status(r) != want {
			t.Errorf("%.60q is not answered with %q", request, want)
		}
	}
	c, r := dial("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
	if got := status(r); got != "HTTP/1.1 200 OK" {
		t.Fatal(got)
	}
	if b := <-bodies; b != "body" {
		t.Errorf("the body is %q", b)
	}
	// Two places: the stream has one, this has the other, and a third waits for it.
	second, _ := dial("")
	third, thirdReader := dial("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if b, err := thirdReader.Peek(1); err == nil {
		t.Errorf("more connections than places: %q", b)
	}
	second.Close()
	third.SetReadDeadline(time.Now().Add(60 * time.Second))
	if got := status(bufio.NewReader(third)); got != "HTTP/1.1 200 OK" {
		t.Errorf("the third is answered with %q", got)
	}
	time.Sleep(400 * time.Millisecond) // longer than a body may take
	close(release)
	c.SetReadDeadline(time.Now().Add(60 * time.Second))
	for line := ""; line != "over"; {
		if line = status(r); line == "EOF" || strings.Contains(line, "timeout") {
			t.Fatalf("the stream ends with %q", line)
		}
	}
}

// TestControlStreams: a connection of the control plane's has a bounded number of calls at a time, which it says at its beginning.
func TestControlStreams(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(controlOptions()...)
	go s.Serve(l)
	defer s.Stop()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	// RFC 9113, 3.4 and 4.1: the preface, an empty SETTINGS frame; then the server's own.
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	head := make([]byte, 9)
	if _, err := io.ReadFull(c, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is %x: %v", head, err)
	}
	settings := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(c, settings); err != nil {
		t.Fatal(err)
	}
	const maxConcurrentStreams = 3 // RFC 9113, 6.5.2
	for ; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == maxConcurrentStreams {
			if n := binary.BigEndian.Uint32(settings[2:]); n != maxStreams {
				t.Errorf("%d calls at a time", n)
			}
			return
		}
	}
	t.Error("any number of calls at a time")
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
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
	go s.Serve(limited(l, 2))
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

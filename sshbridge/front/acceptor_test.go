package front

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

// TestAcceptor: connections with a header are served, others refused; a panic ends one connection only.
func TestAcceptor(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	a := &Acceptor{Log: slog.New(slog.DiscardHandler), Serve: func(raw net.Conn, f Front) {
		if f.Targets[0] == "bad" {
			panic("a mistake")
		}
		_, _ = io.WriteString(raw, f.Targets[0])
	}}
	over := make(chan error, 1)
	go func() { over <- a.Accept(l) }()
	for _, c := range []struct{ send, want string }{
		{"GET / HTTP/1.1\r\n\r\n", ""},
		{string(header(tcp4, v4, nodeconfig.TLVTargets, "bad")), ""},
		{string(header(tcp4, v4, nodeconfig.TLVTargets, "web")), "web"},
	} {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, c.send); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); string(got) != c.want {
			t.Errorf("%q: %q", c.send, got)
		}
		conn.Close()
	}
	l.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
	a.Wait()
}

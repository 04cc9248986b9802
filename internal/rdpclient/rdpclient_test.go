package rdpclient

import (
	"context"
	"net"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// TestRefused: a server that does not do TLS, or says something else, is an error, not a hang.
func TestRefused(t *testing.T) {
	for name, answer := range map[string][]byte{"refuses": rdpwire.AppendConnectFailure(nil, rdpwire.FailHybridRequired), "http": []byte("HTTP/1.1 400 Bad Request\r\n\r\n")} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Write(answer)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := Dial(ctx, Options{Address: l.Addr().String()}); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		l.Close()
	}
}

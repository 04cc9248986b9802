package kube

import (
	"io"
	"net"
	"time"

	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

// tunnel is SPDY within a WebSocket's messages, as kubectl carries port-forward: a connection of bytes.
type tunnel struct {
	net.Conn
	ws   *websocket.Conn
	left []byte // of the piece that was read
}

func (t *tunnel) Read(b []byte) (int, error) {
	for len(t.left) == 0 {
		m, err := t.ws.Read()
		if err != nil {
			return 0, err
		}
		if m.Op != websocket.Binary {
			return 0, errChannels
		}
		t.left = m.Data
	}
	n := copy(b, t.left)
	t.left = t.left[n:]
	return n, nil
}

func (t *tunnel) Write(b []byte) (int, error) {
	if err := t.ws.Write(websocket.Binary, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (t *tunnel) Close() error {
	t.ws.Close(websocket.Normal, "")
	return nil
}

// SetDeadline bounds what reads and writes of the WebSocket do.
func (t *tunnel) SetDeadline(at time.Time) error { return t.Conn.SetDeadline(at) }

var _ io.ReadWriteCloser = (*tunnel)(nil)

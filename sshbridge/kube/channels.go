package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

// Channels of a remote command (k8s.io/apimachinery, util/remotecommand). Over WebSocket the first byte of a message is its
// channel; in the base64 protocols it is a digit. In v5 channel 255 with one byte says that this channel ends.
const (
	stdin       = 0
	stdout      = 1
	stderr      = 2
	ending      = 3 // how it ended: a Status
	resize      = 4 // {"Width":80,"Height":24}
	closeSignal = 255
)

// Protocols of remote commands.
const (
	v5       = "v5.channel.k8s.io"
	v4       = "v4.channel.k8s.io"
	v4base64 = "v4.base64.channel.k8s.io"
	v3       = "v3.channel.k8s.io" // over SPDY only: as v4, but how it ended is a text
	v2       = "v2.channel.k8s.io" // over SPDY only: as v3, without sizes
	v1       = "channel.k8s.io"    // as v2; over WebSocket with sizes
	v1base64 = "base64.channel.k8s.io"
)

// ours are those that clients can have over WebSocket.
var ours = []string{v5, v4, v4base64, v1, v1base64}

// choose is the first of the client's that is ours; "" when there is none.
func choose(offered, ours []string) string {
	for _, p := range offered {
		if slices.Contains(ours, p) {
			return p
		}
	}
	return ""
}

// piece is what comes on a channel: part of a message, or its end.
type piece struct {
	channel byte
	data    []byte // valid until the next read
	last    bool   // of the message
	end     bool   // the channel has ended
}

// channels is a side over WebSocket. read is for one goroutine, the rest may come from several.
type channels struct {
	ws       *websocket.Conn
	protocol string
	channel  byte   // of the message that is read
	cut      []byte // base64 that is cut off
	decoded  []byte
}

var errChannels = errors.New("not the protocol of a remote command")

// read gives the next piece. When the other side has closed in order the error is io.EOF.
func (c *channels) read() (piece, error) {
	for {
		m, err := c.ws.Read()
		if err != nil {
			return piece{}, err
		}
		if c.text() != (m.Op == websocket.Text) {
			return piece{}, fmt.Errorf("%w: opcode", errChannels)
		}
		b := m.Data
		if m.First {
			if len(b) == 0 {
				if m.Last { // nothing at all
					continue
				}
				return piece{}, fmt.Errorf("%w: a message without its channel", errChannels)
			}
			c.channel, b, c.cut = b[0], b[1:], c.cut[:0]
			if c.text() {
				c.channel -= '0'
			}
		}
		if c.channel == closeSignal {
			return c.signal(m, b)
		}
		if c.text() {
			if b, err = c.decode(b, m.Last); err != nil {
				return piece{}, err
			}
		}
		if len(b) == 0 && !m.Last {
			continue
		}
		return piece{channel: c.channel, data: b, last: m.Last}, nil
	}
}

// signal is the end of a channel.
func (c *channels) signal(m websocket.Message, b []byte) (piece, error) {
	if c.protocol != v5 || len(b) != 1 || !m.Last || b[0] > resize {
		return piece{}, fmt.Errorf("%w: close signal", errChannels)
	}
	return piece{channel: b[0], end: true}, nil
}

// decode decodes base64 as far as it is there.
func (c *channels) decode(b []byte, last bool) ([]byte, error) {
	c.cut = append(c.cut, b...)
	n := len(c.cut) / 4 * 4
	if last && n != len(c.cut) {
		return nil, fmt.Errorf("%w: base64", errChannels)
	}
	var err error
	if c.decoded, err = base64.StdEncoding.AppendDecode(c.decoded[:0], c.cut[:n]); err != nil {
		return nil, fmt.Errorf("%w: base64", errChannels)
	}
	c.cut = append(c.cut[:0], c.cut[n:]...)
	return c.decoded, nil
}

// write sends one message.
func (c *channels) write(channel byte, b []byte) error {
	if c.text() {
		return c.ws.Write(websocket.Text, base64.StdEncoding.AppendEncode([]byte{'0' + channel}, b))
	}
	return c.ws.Write(websocket.Binary, []byte{channel}, b)
}

// text reports whether messages are base64.
func (c *channels) text() bool { return c.protocol == v4base64 || c.protocol == v1base64 }

// tell says how the command ended.
func (c *channels) tell(st *kube.Status) error {
	b := statusText(c.protocol, st)
	if len(b) == 0 {
		return nil
	}
	return c.write(ending, b)
}

// end says that nothing more comes on a channel, where the protocol can.
func (c *channels) end(channel byte) error {
	if c.protocol != v5 {
		return nil
	}
	return c.ws.Write(websocket.Binary, []byte{closeSignal, channel})
}

// close ends everything.
func (c *channels) close(err error) {
	if err == nil || errors.Is(err, io.EOF) {
		c.ws.Close(websocket.Normal, "")
		return
	}
	c.ws.Close(websocket.Protocol, "dragoman: protocol error")
}

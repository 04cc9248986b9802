package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
)

// side is one end of a remote command: its channels, whatever carries them. read is for one goroutine, the rest may come
// from several.
type side interface {
	// read gives the next piece. When the other side has closed in order the error is io.EOF.
	read() (piece, error)
	write(channel byte, b []byte) error
	// end says that nothing more comes on a channel, where the protocol can.
	end(channel byte) error
	// tell says how the command ended.
	tell(*kube.Status) error
	close(error)
}

// Over SPDY each channel is a stream, which its header streamtype names, and the protocols are those without base64.
const (
	spdyUpgrade  = "SPDY/3.1"
	spdyProtocol = "X-Stream-Protocol-Version"
	streamType   = "streamtype"
)

var (
	spdyOurs    = []string{v4, v3, v2, v1}
	streamTypes = map[byte]string{stdin: "stdin", stdout: "stdout", stderr: "stderr", ending: "error", resize: "resize"}
)

// maxStreams is more than any remote command has.
const maxStreams = 8

// streamsTime bounds the wait for a peer to open its streams, or to take ours.
const streamsTime = 30 * time.Second

// streams is a side over SPDY.
type streams struct {
	conn     *spdy.Conn
	protocol string
	of       map[byte]uint32 // stream of a channel
	channel  map[uint32]byte
	target   bool // theirs is the target: when its outputs have ended it has ended
}

// channelsOf are the channels of a request.
func channelsOf(r *kube.Stream, protocol string) []byte {
	want := []byte{ending}
	for channel, on := range []bool{stdin: r.Stdin, stdout: r.Stdout, stderr: r.Stderr && !r.TTY} {
		if on {
			want = append(want, byte(channel))
		}
	}
	if r.TTY && (protocol == v4 || protocol == v3) {
		want = append(want, resize)
	}
	return want
}

// takeStreams waits until a client has opened all its streams.
func takeStreams(raw net.Conn, c *spdy.Conn, r *kube.Stream, protocol string) (*streams, error) {
	s := &streams{conn: c, protocol: protocol, of: map[byte]uint32{}, channel: map[uint32]byte{}}
	_ = raw.SetDeadline(time.Now().Add(streamsTime))
	want := channelsOf(r, protocol)
	for len(s.of) < len(want) {
		e, err := c.Read()
		if err != nil {
			return nil, err
		}
		found := false
		for _, channel := range want {
			if e.Kind == spdy.Opened && e.Headers[streamType] == streamTypes[channel] && s.of[channel] == 0 {
				s.of[channel], s.channel[e.Stream], found = e.Stream, channel, true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: stream %q", errChannels, e.Headers[streamType])
		}
		if err := c.Reply(e.Stream); err != nil {
			return nil, err
		}
	}
	return s, raw.SetDeadline(time.Time{})
}

// openStreams opens those of a target, and waits until it has taken them.
func openStreams(raw net.Conn, c *spdy.Conn, r *kube.Stream) (*streams, error) {
	s := &streams{conn: c, protocol: v4, of: map[byte]uint32{}, channel: map[uint32]byte{}, target: true}
	_ = raw.SetDeadline(time.Now().Add(streamsTime))
	for _, channel := range channelsOf(r, v4) {
		var id uint32
		if err := c.Open(map[string]string{streamType: streamTypes[channel]}, func(stream uint32) { id = stream }); err != nil {
			return nil, err
		}
		s.of[channel], s.channel[id] = id, channel
		if e, err := c.Read(); err != nil || e.Kind != spdy.Replied || e.Stream != id {
			return nil, fmt.Errorf("the target takes no stream: %w", errors.Join(err, errChannels))
		}
	}
	return s, raw.SetDeadline(time.Time{})
}

func (s *streams) read() (piece, error) {
	for {
		e, err := s.conn.Read()
		if err != nil {
			return piece{}, err
		}
		channel, ok := s.channel[e.Stream]
		switch {
		case e.Kind == spdy.Opened && !s.target: // one too many
			_ = s.conn.Reset(e.Stream)
			return piece{}, fmt.Errorf("%w: stream %q", errChannels, e.Headers[streamType])
		case !ok || e.Kind != spdy.Data && e.Kind != spdy.Reset:
			continue
		}
		p := piece{channel: channel, data: e.Data, end: e.Fin || e.Kind == spdy.Reset}
		p.last = channel != resize || bytes.HasSuffix(bytes.TrimSpace(e.Data), []byte("}")) // a size is one object, not nested
		if p.end {
			delete(s.channel, e.Stream)
		}
		if s.target && p.end && len(p.data) == 0 && !s.speaks() {
			return piece{}, io.EOF
		}
		return p, nil
	}
}

// speaks reports whether a target has anything more to say.
func (s *streams) speaks() bool {
	for _, channel := range s.channel {
		if slices.Contains([]byte{stdout, stderr, ending}, channel) {
			return true
		}
	}
	return false
}

func (s *streams) write(channel byte, b []byte) error {
	if s.of[channel] == 0 {
		return nil
	}
	return s.conn.Write(s.of[channel], b)
}

func (s *streams) end(channel byte) error {
	if s.of[channel] == 0 {
		return nil
	}
	return s.conn.End(s.of[channel])
}

func (s *streams) tell(st *kube.Status) error {
	for _, channel := range []byte{stdout, stderr, stdin} {
		if err := s.end(channel); err != nil {
			return err
		}
	}
	if err := s.write(ending, statusText(s.protocol, st)); err != nil {
		return err
	}
	return s.end(ending)
}

func (s *streams) close(error) { s.conn.Close() }

// statusText is how a protocol says how a command ended: v4 and v5 as a Status, older ones as a text when it failed.
func statusText(protocol string, st *kube.Status) []byte {
	switch protocol {
	case v5, v4, v4base64:
		return st.JSON()
	}
	if !st.Refuses() {
		return nil
	}
	return []byte(st.Message)
}

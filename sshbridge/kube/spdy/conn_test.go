package spdy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/moby/spdystream"
)

// pipe is a pair of connections with buffers.
func pipe(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// TestTheirClient: what everybody else's implementation opens and sends comes, and it reads what we send.
func TestTheirClient(t *testing.T) {
	a, b := pipe(t)
	theirs, err := spdystream.NewConnection(a, false)
	if err != nil {
		t.Fatal(err)
	}
	go theirs.Serve(spdystream.NoOpStreamHandler)
	ours := New(b, bufio.NewReader(b), false, 8)
	want := bytes.Repeat([]byte("0123456789"), 30_000)
	got := make(chan []byte, 1)
	go func() {
		for range 3 {
			s, err := theirs.CreateStream(http.Header{"Streamtype": {"stdin"}, "Port": {"80"}}, nil, false)
			if err != nil || s.WaitTimeout(time.Minute) != nil {
				break
			}
			s.Write(want)
			s.Close()
			back, _ := io.ReadAll(s)
			got <- back
		}
		theirs.Ping()
		theirs.Close()
	}()
	var all []byte
	n := 0
	for {
		e, err := ours.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		switch e.Kind {
		case Opened:
			if n++; !maps.Equal(e.Headers, map[string]string{"streamtype": "stdin", "port": "80"}) || e.Fin {
				t.Errorf("%+v", e)
			}
			ours.Reply(e.Stream)
		case Data:
			all = append(all, e.Data...)
			ours.Write(e.Stream, e.Data)
			if e.Fin {
				ours.End(e.Stream)
				if !bytes.Equal(all, want) || !bytes.Equal(<-got, want) {
					t.Errorf("%d bytes", len(all))
				}
				all = nil
			}
		}
	}
	if n != 3 {
		t.Errorf("%d streams", n)
	}
}

// TestTheirServer: it takes what we open.
func TestTheirServer(t *testing.T) {
	a, b := pipe(t)
	theirs, err := spdystream.NewConnection(b, true)
	if err != nil {
		t.Fatal(err)
	}
	go theirs.Serve(func(s *spdystream.Stream) {
		s.SendReply(http.Header{}, false)
		go func() {
			if s.Headers().Get("streamtype") == "reset" {
				s.Reset()
				return
			}
			io.Copy(s, s)
			s.Close()
		}()
	})
	ours := New(a, bufio.NewReader(a), true, 8)
	want := []byte("some bytes")
	var id, second uint32
	if err := ours.Open(map[string]string{"streamType": "echo"}, func(n uint32) { id = n }); err != nil {
		t.Fatal(err)
	}
	if err := ours.Open(map[string]string{"streamtype": "reset"}, func(n uint32) { second = n }); err != nil {
		t.Fatal(err)
	}
	var got []byte
	reset := false
	for len(got) < len(want) || !reset || ours.has(id) {
		e, err := ours.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == Replied && e.Stream == id:
			ours.Write(id, want)
			ours.End(id)
		case e.Kind == Data && e.Stream == id:
			got = append(got, e.Data...)
		case e.Kind == Reset && e.Stream == second:
			reset = true
		}
	}
	if !bytes.Equal(got, want) || len(ours.streams) != 0 {
		t.Errorf("%q %v", got, ours.streams)
	}
	ours.Close()
}

// TestBounds: too many streams are refused, one by one; what breaks the rules ends the connection.
func TestBounds(t *testing.T) {
	a, b := pipe(t)
	client, server := New(a, bufio.NewReader(a), true, 10), New(b, bufio.NewReader(b), false, 2)
	go func() {
		for {
			if _, err := server.Read(); err != nil {
				return
			}
		}
	}()
	for range 3 {
		if err := client.Open(map[string]string{"a": "b"}, func(uint32) {}); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := client.Read(); err != nil || e.Kind != Reset || e.Stream != 5 {
		t.Errorf("%+v %v", e, err)
	}
	block := func(headers map[string]string) []byte {
		var c compressor
		b, err := c.block(headers)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	syn := func(id uint32, block []byte) []byte {
		b := binary.BigEndian.AppendUint32([]byte{0x80, 3, 0, 1}, uint32(10+len(block)))
		return append(append(binary.BigEndian.AppendUint32(b, id), 0, 0, 0, 0, 0, 0), block...)
	}
	good := block(map[string]string{"a": "b"})
	many := map[string]string{}
	for i := range maxHeaders + 1 {
		many[string(rune('a'+i))] = ""
	}
	for name, bytesIn := range map[string][]byte{
		"even stream":       syn(2, good),
		"stream zero":       syn(0, good),
		"no headers":        syn(1, nil),
		"headers cut":       syn(1, good[:len(good)-6]),
		"headers go on":     syn(1, append(bytes.Clone(good), good...)),
		"too many headers":  syn(1, block(many)),
		"a long header":     syn(1, block(map[string]string{"a": string(make([]byte, maxField+1))})),
		"a long frame":      {0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff},
		"a short frame":     {0x80, 3, 0, 3, 0, 0, 0, 1, 0},
		"another version":   {0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1},
		"not a compression": syn(1, []byte("0123456789012345")),
	} {
		c := New(said{}, bufio.NewReader(bytes.NewReader(bytesIn)), false, 4)
		if e, err := c.Read(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %+v %v", name, e, err)
		}
	}
}

// said is a connection whose peer has said everything already.
type said struct{ net.Conn }

func (said) Write(b []byte) (int, error)      { return len(b), nil }
func (said) SetDeadline(time.Time) error      { return nil }
func (said) SetWriteDeadline(time.Time) error { return nil }
func (said) Close() error                     { return nil }

func FuzzRead(f *testing.F) {
	var c compressor
	block, err := c.block(map[string]string{"streamtype": "data", "port": "80", "requestid": "0"})
	if err != nil {
		f.Fatal(err)
	}
	b := binary.BigEndian.AppendUint32([]byte{0x80, 3, 0, 1}, uint32(10+len(block)))
	b = append(append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), block...)
	b = append(b, 0, 0, 0, 1, 1, 0, 0, 2, 'h', 'i', 0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1, 0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 5)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(said{}, bufio.NewReader(bytes.NewReader(b)), false, 4)
		for total := 0; ; {
			e, err := c.Read()
			if err != nil {
				return
			}
			if total += len(e.Data); total > len(b) || e.Kind == 0 || len(c.streams) > 4 {
				t.Errorf("%+v after %d bytes of %d", e, total, len(b))
			}
			if e.Kind == Opened {
				c.Reply(e.Stream)
				c.Write(e.Stream, []byte("x"))
			}
		}
	})
}

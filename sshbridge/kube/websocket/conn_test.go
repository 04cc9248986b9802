package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func pair() (client, server *Conn) {
	a, b := net.Pipe()
	return New(a, bufio.NewReader(a), true), New(b, bufio.NewReader(b), false)
}

// TestBothWays: messages of all lengths arrive as they were, on both sides, with pings between them.
func TestBothWays(t *testing.T) {
	client, server := pair()
	for _, c := range [][2]*Conn{{client, server}, {server, client}} {
		for _, n := range []int{0, 1, 125, 126, 0xffff, 0x10000, 3*Piece + 1} {
			want := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
			go func() {
				if n == 126 {
					c[0].Ping()
				}
				c[0].Write(Binary, want[:n/2], want[n/2:])
			}()
			if n == 126 { // the pong
				go c[0].Read()
			}
			var got []byte
			for first := true; ; first = false {
				m, err := c[1].Read()
				if err != nil || m.First != first || m.Op != Binary || len(m.Data) > Piece {
					t.Fatalf("%d: %+v %v", n, m.First, err)
				}
				if got = append(got, m.Data...); m.Last {
					break
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes changed", n)
			}
			if n == 126 {
				return // the reader that waits for the pong stays
			}
		}
	}
}

func TestMessagesAndClose(t *testing.T) {
	client, server := pair()
	want := bytes.Repeat([]byte("x"), 5*Piece/2)
	go func() {
		for _, part := range [][]byte{want[:Piece], want[Piece : 2*Piece], want[2*Piece:]} {
			client.Write(Binary, part)
		}
		client.Close(Normal, "")
	}()
	var got []byte
	m, err := server.Read()
	for ; err == nil; m, err = server.Read() {
		got = append(got, m.Data...)
	}
	if err != io.EOF || !bytes.Equal(got, want) {
		t.Errorf("%d bytes %v", len(got), err)
	}
	if err := server.Write(Text, []byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written after the end: %v", err)
	}
}

// discard is a connection whose peer has said everything already.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) Close() error                     { return nil }

func TestBroken(t *testing.T) {
	for name, frame := range map[string]string{
		"no mask":           "\x82\x01x",
		"reserved":          "\xc2\x80\x00\x00\x00\x00",
		"continuation":      "\x80\x80\x00\x00\x00\x00",
		"message in one":    "\x02\x80\x00\x00\x00\x00\x82\x80\x00\x00\x00\x00",
		"long ping":         "\x89\xfe\x00\x7e\x00\x00\x00\x00",
		"ping in two":       "\x09\x80\x00\x00\x00\x00",
		"length not needed": "\x82\xfe\x00\x01\x00\x00\x00\x00x",
		"length too large":  "\x82\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"close of a byte":   "\x88\x81\x00\x00\x00\x00x",
		"unknown":           "\x83\x80\x00\x00\x00\x00",
		"cut":               "\x82\x85\x00\x00\x00\x00x",
	} {
		c := New(discard{}, bufio.NewReader(bytes.NewReader([]byte(frame))), false)
		var err error
		for err == nil {
			_, err = c.Read()
		}
		if !errors.Is(err, ErrProtocol) && name != "cut" || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x82\x85\x01\x02\x03\x04hello\x89\x80\x00\x00\x00\x00"), false)
	f.Add([]byte("\x02\x02hi\x80\x00\x88\x02\x03\xe8"), true)
	f.Fuzz(func(t *testing.T, b []byte, client bool) {
		c, total := New(discard{}, bufio.NewReader(bytes.NewReader(b)), client), 0
		for {
			m, err := c.Read()
			if err != nil {
				return
			}
			if total += len(m.Data); total > len(b) || m.Op != Text && m.Op != Binary {
				t.Errorf("%d bytes of %d", total, len(b))
			}
		}
	})
}

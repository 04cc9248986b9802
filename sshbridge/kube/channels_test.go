package kube

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/shell"
	"dragoman.dev/dragoman/sshbridge/kube/websocket"
)

// TestChannels: what is written on a channel comes on it, in every protocol, however long it is.
func TestChannels(t *testing.T) {
	for _, protocol := range ours {
		a, b := net.Pipe()
		client := &channels{ws: websocket.New(a, bufio.NewReader(a), true), protocol: protocol}
		server := &channels{ws: websocket.New(b, bufio.NewReader(b), false), protocol: protocol}
		want := bytes.Repeat([]byte("0123456\x00\xff"), 20_000)
		go func() {
			client.write(stdin, want)
			client.end(stdin)
			client.close(nil)
		}()
		var got []byte
		ended := false
		for {
			p, err := server.read()
			if err != nil {
				break
			}
			if p.channel != stdin {
				t.Fatalf("%s: channel %d", protocol, p.channel)
			}
			got, ended = append(got, p.data...), ended || p.end
		}
		if !bytes.Equal(got, want) || ended != (protocol == v5) {
			t.Errorf("%s: %d bytes, ended %v", protocol, len(got), ended)
		}
	}
}

// said is a connection whose peer has said everything already.
type said struct{ net.Conn }

func (said) Write(b []byte) (int, error)      { return len(b), nil }
func (said) SetWriteDeadline(time.Time) error { return nil }
func (said) Close() error                     { return nil }

func FuzzChannels(f *testing.F) {
	f.Add([]byte("\x82\x82\x00\x00\x00\x00\x00x\x82\x82\x00\x00\x00\x00\xff\x00"), 0)
	f.Add([]byte("\x81\x85\x00\x00\x00\x000eA=="), 2)
	f.Fuzz(func(t *testing.T, b []byte, which int) {
		c := &channels{ws: websocket.New(said{}, bufio.NewReader(bytes.NewReader(b)), false), protocol: ours[uint(which)%uint(len(ours))]}
		for total := 0; ; {
			p, err := c.read()
			if err != nil {
				return
			}
			if total += len(p.data); total > len(b) || p.end && c.protocol != v5 {
				t.Errorf("%d bytes of %d", total, len(b))
			}
		}
	})
}

// TestCommandLine: a shell that is told the line would run the words.
func TestCommandLine(t *testing.T) {
	for _, words := range [][]string{{"ls", "-l"}, {"echo", "a b", "it's", "$(rm x)", "`rm x`", "*", "", "~", "a\nb"}, {"./x=1", "y"}, {"A=1", "rm"}} {
		act := shell.Analyse(action.KindExec, commandLine(words))
		if len(act.Functions) != 1 || act.Features[shell.FeatureSubstitution] != nil || act.Features[shell.FeatureGlob] != nil || act.Features[action.FeatureMulti] != nil {
			t.Errorf("%q is %q: %+v", words, commandLine(words), act)
		}
	}
	for line, want := range map[string]bool{"sh": true, "/bin/bash -il": true, "sh -c ls": false, "bash x.sh": false, "/srv/sh": false, "bash --rcfile=x": false} {
		if got := isShell(strings.Fields(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

// TestRefusals: what was refused is said once more, for a moment, and to nobody else.
func TestRefusals(t *testing.T) {
	now := time.Unix(1, 0)
	r := refusals{now: func() time.Time { return now }}
	a, b := (&front{target: "t", token: "a"}).key("/x"), (&front{target: "t", token: "b"}).key("/x")
	r.put(a, forbidden("no"))
	if r.take(b) != nil {
		t.Error("another's refusal")
	}
	if r.take(a) == nil || r.take(a) != nil {
		t.Error("it is said once")
	}
	r.put(a, forbidden("no"))
	if now = now.Add(2 * rememberFor); r.take(a) != nil {
		t.Error("it is remembered for too long")
	}
}

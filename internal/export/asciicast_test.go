package export

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
)

type frames []record.Frame

func (f *frames) Next() (record.Frame, error) {
	if len(*f) == 0 {
		return record.Frame{}, io.EOF
	}
	one := (*f)[0]
	*f = (*f)[1:]
	return one, nil
}

func TestAsciicast(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	frame := func(ms int, kind record.Kind, payload []byte) record.Frame {
		return record.Frame{Time: at.Add(time.Duration(ms) * time.Millisecond), Kind: kind, Payload: payload}
	}
	pty := ssh.Marshal(struct {
		Term       string
		C, R, W, H uint32
		Modes      string
	}{"xterm", 80, 24, 0, 0, "\x00"})
	src := frames{
		frame(0, record.KindResponse, sshwire.AppendData(nil, 1, []byte("another channel"))),
		frame(1, record.KindRequest, sshwire.AppendRequest(nil, 2, "pty-req", pty)),
		frame(2, record.KindRequest, sshwire.AppendData(nil, 2, []byte("l"))),
		frame(3, record.KindResponse, sshwire.AppendData(nil, 2, []byte("caf\xc3"))),
		frame(4, record.KindResponse, sshwire.AppendData(nil, 2, []byte("\xa9 <\x1b[0m"))),
		frame(5, record.KindRequest, sshwire.AppendRequest(nil, 2, "window-change", []byte{0, 0, 0, 100, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0})),
	}
	var b strings.Builder
	if err := WriteAsciicast(&b, "ses_1", &src); err != nil {
		t.Fatal(err)
	}
	want := `{"version":2,"width":80,"height":24,"timestamp":1700000000,"title":"ses_1","env":{"TERM":"xterm"}}
[0.001000,"i","l"]
[0.002000,"o","caf"]
[0.003000,"o","é <\u001b[0m"]
[0.004000,"r","100x30"]
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	if err := WriteAsciicast(io.Discard, "s", &frames{}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

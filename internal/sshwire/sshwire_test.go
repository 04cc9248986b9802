package sshwire

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, b := range [][]byte{
		AppendData(nil, 1, []byte("out")), AppendExtended(nil, 2, []byte("err")), AppendEnd(nil, MsgEOF, 3),
		AppendRequest(nil, 4, "exit-status", []byte{0, 0, 0, 7}), AppendEnd(nil, MsgClose, 5),
	} {
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		switch m.Number {
		case MsgData:
			again = AppendData(nil, m.Channel, m.Data)
		case MsgExtended:
			again = AppendExtended(nil, m.Channel, m.Data)
		case MsgRequest:
			again = AppendRequest(nil, m.Channel, m.Request, m.Payload)
		default:
			again = AppendEnd(nil, m.Number, m.Channel)
		}
		if !bytes.Equal(b, again) {
			t.Errorf("%x became %x", b, again)
		}
		for i := range b {
			if _, err := Parse(b[:i]); err == nil && m.Number != MsgRequest {
				t.Errorf("%x cut at %d is good", b, i)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendData(nil, 1, []byte("x")))
	f.Add(AppendRequest(nil, 1, "pty-req", []byte{0, 0, 0, 1, 'x'}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Parse(b); err == nil && m.Request == "pty-req" {
			_, _ = ParsePTY(m.Payload)
			_, _ = ParseWindow(m.Payload)
		}
	})
}

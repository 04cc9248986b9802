package grpc

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB) *mask.Plan {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "t", Detectors: []string{"email", "card"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func body(msgs ...[]byte) (out []byte) {
	for _, m := range msgs {
		msg := Message{Data: m}
		out = msg.Append(out)
	}
	return out
}

func run(t testing.TB, p *mask.Plan, encoding string, in []byte, piece int) (out []byte, n int, err error) {
	t.Helper()
	m, err := NewMasker(p, encoding, 1<<20)
	if err != nil {
		return nil, 0, err
	}
	for len(in) > 0 && err == nil {
		n := min(piece, len(in))
		out, err = m.Write(out, bytes.Clone(in[:n]))
		in = in[n:]
	}
	if err == nil {
		out, err = m.Close(out)
	}
	return out, m.Masked(), err
}

// A real message, with strings at every depth, is masked and stays one.
func TestProtobuf(t *testing.T) {
	s, err := structpb.NewStruct(map[string]any{
		"plain": "hello", "n": 42.5, "mail": "mallory@secret.example", "list": []any{"x", map[string]any{"deep": "to mallory@secret.example, now"}},
		"long": strings.Repeat("lorem ", 1000) + "mallory@secret.example", "mallory@secret.example": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []int{1, 9, 1 << 20} {
		out, n, err := run(t, plan(t), "", body(raw, raw), piece)
		if err != nil || n != 8 || bytes.Contains(out, []byte("mallory")) {
			t.Fatalf("%d masked, %v", n, err)
		}
		var got structpb.Struct
		size := binary.BigEndian.Uint32(out[1:])
		if err := proto.Unmarshal(out[5:5+size], &got); err != nil {
			t.Fatal(err)
		}
		f := got.Fields
		if f["plain"].GetStringValue() != "hello" || f["n"].GetNumberValue() != 42.5 || f["mail"].GetStringValue() != "[redacted]" ||
			f["list"].GetListValue().Values[1].GetStructValue().Fields["deep"].GetStringValue() != "to [redacted], now" || f["[redacted]"] == nil {
			t.Errorf("%v", &got)
		}
	}
}

func TestCompressed(t *testing.T) {
	raw := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "mallory@secret.example "+strings.Repeat("x", 500))
	e, err := coding.NewEncoder([]string{"gzip"})
	if err != nil {
		t.Fatal(err)
	}
	packed, _ := e.Write(nil, raw)
	packed, _ = e.Close(packed)
	m := Message{Compressed: true, Data: packed}
	out, n, err := run(t, plan(t), "gzip", m.Append(nil), 7)
	if err != nil || n != 1 || out[0] != flagCompressed {
		t.Fatalf("%d %v", n, err)
	}
	var plain []byte
	sink := func(b []byte) error { plain = append(plain, b...); return nil }
	d := coding.NewDecoder([]string{"gzip"}, 0)
	defer d.Abort()
	if d.Write(out[5:], sink) != nil || d.Close(sink) != nil || !bytes.Contains(plain, []byte("[redacted] xxx")) {
		t.Errorf("%q", plain)
	}
	if _, _, err := run(t, plan(t), "snappy", nil, 1); err == nil {
		t.Error("an unknown encoding passes")
	}
	if _, _, err := run(t, plan(t), "", []byte("\x00\x7f\xff\xff\xff"), 1); err == nil {
		t.Error("a huge message is waited for")
	}
	if _, _, err := run(t, plan(t), "", []byte("\x02\x00\x00\x00\x00"), 1); err == nil {
		t.Error("an unknown flag passes")
	}
	web := Message{Trailers: true, Data: []byte("grpc-status: 5\r\ngrpc-message: no mallory@secret.example\r\n")}
	if out, n, err := run(t, plan(t), "", web.Append(nil), 3); err != nil || n != 1 || bytes.Contains(out, []byte("mallory")) {
		t.Errorf("%q %v", out, err)
	}
}

// In whatever pieces, the same; a message that protobuf can read can be read afterwards,
// and the detectors find nothing in its strings any more.
func FuzzProtobuf(f *testing.F) {
	f.Add([]byte("\x0a\x16mallory@secret.example\x10\x07"), 1)
	f.Add([]byte("\x12\x18\x0a\x16mallory@secret.example"), 2)
	f.Add([]byte("\x0b\x0a\x01a\x0c\x15aaaa\x19bbbbbbbb"), 3)
	p := plan(f)
	f.Fuzz(func(t *testing.T, msg []byte, piece int) {
		whole, n, err1 := run(t, p, "", body(msg), len(msg)+10)
		parts, _, err2 := run(t, p, "", body(msg), 1+(piece&15))
		if (err1 == nil) != (err2 == nil) || err1 == nil && !bytes.Equal(whole, parts) {
			t.Fatalf("in pieces it differs: %q %v, %q %v", whole, err1, parts, err2)
		}
		if err1 != nil {
			return
		}
		if n == 0 && !bytes.Equal(whole, body(msg)) {
			t.Fatalf("%q became %q", msg, whole)
		}
		if wellFormed(msg) && !wellFormed(whole[5:]) {
			t.Fatalf("%q became %q, which is no message", msg, whole[5:])
		}
		if _, _, ok := fields(ptr(p.Values()), whole[5:], 0); ok {
			if _, left, _ := fields(ptr(p.Values()), whole[5:], 0); left > 0 && wellFormed(msg) {
				t.Fatalf("%q became %q, in which there is more", msg, whole[5:])
			}
		}
	})
}

func ptr(v mask.Values) *mask.Values { return &v }

// wellFormed asks protobuf's own library.
func wellFormed(b []byte) bool {
	for len(b) > 0 {
		_, _, size := protowire.ConsumeField(b)
		if size < 0 {
			return false
		}
		b = b[size:]
	}
	return true
}

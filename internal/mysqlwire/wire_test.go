package mysqlwire

import (
	"bytes"
	"reflect"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// TestReader cuts messages of all lengths at all places.
func TestReader(t *testing.T) {
	var in []byte
	want := []int{0, 1, 100, 5000, MaxPacket, MaxPacket + 10, 3}
	for _, n := range want {
		in, _ = AppendPacket(in, 0, bytes.Repeat([]byte{'x'}, n))
	}
	for _, step := range []int{1 << 20, 70001, 1 << 25} {
		for _, keep := range []int{1000, 1 << 26} {
			r := Reader{Keep: keep, Max: 1 << 30}
			var got []int
			size, raw, payload := 0, []byte(nil), Payload{}
			for b := in; len(b) > 0; {
				n := min(step, len(b))
				r.Feed(b[:n])
				b = b[n:]
				for {
					m, ok, err := r.Next()
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						break
					}
					raw = append(raw, m.Raw...)
					if m.Whole() {
						got = append(got, len(m.Body))
						continue
					}
					if m.First {
						size, payload = 0, Payload{}
					}
					payload.Each(m.Raw, func(b []byte) {
						size += len(b)
						if len(bytes.Trim(b, "x")) > 0 {
							t.Fatalf("%q is no payload", b)
						}
					})
					if m.Last {
						got = append(got, size)
					}
				}
				r.Keeps()
			}
			if !reflect.DeepEqual(got, want) || !bytes.Equal(raw, in) {
				t.Errorf("step %d, keep %d: %v, %d of %d bytes", step, keep, got, len(raw), len(in))
			}
		}
	}
	r := Reader{Keep: 10, Max: 100}
	r.Feed([]byte{200, 0, 0, 0, 1})
	if _, _, err := r.Next(); err == nil {
		t.Error("a message over the limit was taken")
	}
}

func TestHandshake(t *testing.T) {
	g := Greeting{Version: "8.0.36", Thread: 7, Nonce: bytes.Repeat([]byte{'n'}, NonceLen), Caps: Offered, Charset: 45, Status: 2, Plugin: PluginSHA2}
	got, err := DecodeGreeting(g.Append(nil))
	if err != nil || !reflect.DeepEqual(got, g) {
		t.Errorf("%+v %v", got, err)
	}
	r := Response{Caps: Offered, MaxPacket: 1 << 20, Charset: 45, User: "u", Auth: []byte("secret"), Database: "d", Plugin: PluginClear, Attrs: []Attr{{"a", "b"}}}
	back, err := DecodeResponse(r.Append(nil))
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%+v %v", back, err)
	}
	if !IsSSLRequest((&Response{Caps: CapSSL}).AppendSSLRequest(nil)) || IsSSLRequest(r.Append(nil)) {
		t.Error("SSLRequest")
	}
}

func TestValues(t *testing.T) {
	for _, n := range []uint64{0, 1, 250, 251, 252, 65535, 65536, 1<<24 - 1, 1 << 24, 1 << 60} {
		got, rest, err := Lenenc(AppendLenenc(nil, n))
		if err != nil || got != n || len(rest) != 0 {
			t.Errorf("%d: %d %v", n, got, err)
		}
	}
	for _, c := range []struct {
		typ      byte
		unsigned bool
		text     string
	}{{TypeTiny, false, "5"}, {TypeShort, false, "300"}, {TypeLong, false, "70000"}, {TypeLonglong, false, "-9"}, {TypeDouble, false, "1.5"}, {TypeFloat, false, "0.25"},
		{TypeVarString, false, "abc"}, {TypeNewDecimal, false, "12.50"}, {TypeDatetime, false, "2000-01-01 01:02:03"}, {TypeDate, false, "2000-01-02"}} {
		b := AppendBinary(nil, c.typ, []byte(c.text))
		raw, v, rest, err := BinaryValue(c.typ, b)
		if err != nil || len(rest) != 0 || len(raw) != len(b) || BinaryText(c.typ, c.unsigned, v) != c.text {
			t.Errorf("%#x %s: %s %v", c.typ, c.text, BinaryText(c.typ, c.unsigned, v), err)
		}
	}
}

// FuzzDecode: no decoder panics, and none gives more than it was given.
func FuzzDecode(f *testing.F) {
	g := Greeting{Version: "8", Nonce: make([]byte, NonceLen), Caps: Offered}
	f.Add(g.Append(nil), uint8(3))
	f.Add((&Response{Caps: Offered, User: "u"}).Append(nil), uint8(1))
	f.Add([]byte{ComStmtExecute, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 0, 5, 0, 0, 0}, uint8(1))
	f.Add((&Error{Number: 1, Message: "x"}).Append(nil), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		_, _ = DecodeGreeting(b)
		_, _ = DecodeResponse(b)
		_, _, _ = DecodeAuthSwitch(b)
		_, _ = DecodeOK(b)
		_, _ = DecodeEOF(b)
		_, _ = DecodeError(b)
		_, _ = DecodePrepared(b)
		_, _ = DecodeColumn(b)
		if x, err := DecodeExecute(b); err == nil {
			_, _, _ = x.Params(int(n), nil, func(int) (action.Param, bool) { return action.Param{}, false })
		}
		for typ := range 256 {
			if raw, v, rest, err := BinaryValue(byte(typ), b); err == nil {
				if len(raw)+len(rest) != len(b) {
					t.Fatalf("type %#x: %d and %d of %d bytes", typ, len(raw), len(rest), len(b))
				}
				_ = BinaryText(byte(typ), n%2 == 0, v)
			}
		}
		r := Reader{Keep: 64, Max: 1 << 20}
		r.Feed(b)
		for total := 0; ; {
			m, ok, err := r.Next()
			if err != nil || !ok {
				break
			}
			if total += len(m.Raw); total > len(b) {
				t.Fatal("more than was fed")
			}
		}
	})
}

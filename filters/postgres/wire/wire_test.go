package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// session is a client's bytes as pgproto3 makes them.
func clientBytes(t testing.TB) []byte {
	var out []byte
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Query{String: "select 1"},
		&pgproto3.Parse{Name: "s", Query: "select $1", ParameterOIDs: []uint32{23, 0}},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1},
			Parameters: [][]byte{{0, 0, 0, 7}, nil, {}}, ResultFormatCodes: []int16{0, 1}},
		&pgproto3.Describe{ObjectType: 'P', Name: "p"},
		&pgproto3.Execute{Portal: "p", MaxRows: 9},
		&pgproto3.CopyData{Data: bytes.Repeat([]byte("x"), 100_000)},
		&pgproto3.Sync{},
		&pgproto3.Terminate{},
	} {
		b, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// join reads everything in chunks of random size and puts the pieces together again.
func join(t testing.TB, table *Table, in []byte, next func() int) (out []byte, messages int) {
	r := Reader{Table: table}
	for len(in) > 0 {
		n := min(next(), len(in))
		r.Feed(in[:n])
		for {
			p, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			out = append(out, p.Raw...)
			if p.Last {
				messages++
			}
		}
		in = in[n:]
	}
	if r.Mid() {
		t.Fatal("ends within a message")
	}
	return out, messages
}

func TestReaderKeepsEveryByte(t *testing.T) {
	in := clientBytes(t)
	for size := 1; size < 40; size++ {
		out, n := join(t, Frontend(1<<20, 1<<30), in, func() int { return size })
		if !bytes.Equal(in, out) || n != 8 {
			t.Fatalf("chunks of %d: %d messages, equal %v", size, n, bytes.Equal(in, out))
		}
	}
	for range 50 {
		out, _ := join(t, Frontend(1<<20, 1<<30), in, func() int { return 1 + rand.IntN(70_000) })
		if !bytes.Equal(in, out) {
			t.Fatal("bytes differ")
		}
	}
}

func TestReaderBounds(t *testing.T) {
	for name, in := range map[string][]byte{
		"unknown type":    {'?', 0, 0, 0, 4},
		"short length":    {'Q', 0, 0, 0, 3},
		"negative":        {'Q', 0xff, 0xff, 0xff, 0xff},
		"long sync":       {'S', 0, 0, 0, 5},
		"huge describe":   {'D', 0x10, 0, 0, 0},
		"over a gibibyte": {'d', 0x7f, 0xff, 0xff, 0xff},
	} {
		r := Reader{Table: Frontend(1<<20, 1<<30)}
		r.Feed(in)
		if _, _, err := r.Next(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestMemory: a message of 64 MiB in small chunks is never held.
func TestLongMessagesAreNotHeld(t *testing.T) {
	r := Reader{Table: Backend(1 << 30)}
	head := []byte{DataRow, 0x04, 0, 0, 4}
	r.Feed(head)
	r.Next()
	chunk := make([]byte, 32<<10)
	total := int64(0)
	for total < 64<<20 {
		r.Feed(chunk)
		for {
			p, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			total += int64(len(p.Body))
		}
		if len(r.part) > 128<<10 {
			t.Fatalf("%d bytes are held", len(r.part))
		}
	}
}

func TestDecodeBind(t *testing.T) {
	b, err := (&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1},
		Parameters: [][]byte{{0, 0, 0, 7}, nil, {}}, ResultFormatCodes: []int16{0, 1}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := DecodeBind(b[5:])
	if err != nil || string(d.Portal) != "p" || string(d.Statement) != "s" || d.Count != 3 || Format(d.Formats, 2) != 1 || Format(d.Results, 1) != 1 || Format(d.Results, 0) != 0 {
		t.Fatalf("%+v %v", d, err)
	}
	v, rest, null, ok := NextValue(d.Values)
	if !ok || null || len(v) != 4 {
		t.Fatal(v)
	}
	_, rest, null, ok = NextValue(rest)
	if !ok || !null {
		t.Fatal("not null")
	}
	if v, _, null, ok = NextValue(rest); !ok || null || len(v) != 0 {
		t.Fatal(v, null, ok)
	}
}

// TestBuilders: what we build is what pgproto3 reads.
func TestBuilders(t *testing.T) {
	var e pgproto3.ErrorResponse
	b := AppendError(nil, Report{Severity: "ERROR", Code: "42501", Message: "m", Detail: "d\x00x", Hint: "h"})
	if err := e.Decode(b[5:]); err != nil || e.Code != "42501" || e.Detail != "d" || e.Hint != "h" || e.SeverityUnlocalized != "ERROR" {
		t.Fatalf("%+v %v", e, err)
	}
	var p pgproto3.Parse
	b = AppendParse(nil, "s", "/*c*/ ", []byte("select 1"), []byte{0, 1, 0, 0, 0, 23})
	if err := p.Decode(b[5:]); err != nil || p.Query != "/*c*/ select 1" || p.ParameterOIDs[0] != 23 {
		t.Fatalf("%+v %v", p, err)
	}
	var n pgproto3.NegotiateProtocolVersion
	if err := n.Decode(AppendNegotiate(nil, 2, []string{"_pq_.x"})[5:]); err != nil || len(n.UnrecognizedOptions) != 1 {
		t.Fatalf("%+v %v", n, err)
	}
	s, used, err := DecodeStartup(AppendStartup(nil, Version30, "user", "u", "database", "d"))
	if err != nil || used == 0 || s.Get("database") != "d" {
		t.Fatalf("%+v %v", s, err)
	}
	s, _, err = DecodeStartup(AppendCancel(nil, 7, []byte{1, 2, 3, 4}))
	if err != nil || s.Code != CancelCode || s.PID != 7 || len(s.Secret) != 4 {
		t.Fatalf("%+v %v", s, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(clientBytes(f)[:200], uint8(7), true)
	f.Add([]byte{'Z', 0, 0, 0, 5, 'I'}, uint8(1), false)
	f.Fuzz(func(t *testing.T, in []byte, size uint8, front bool) {
		table := Backend(1 << 24)
		if front {
			table = Frontend(1<<16, 1<<24)
		}
		r := Reader{Table: table}
		var out []byte
		for rest := in; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			r.Feed(rest[:n])
			for {
				p, ok, err := r.Next()
				if err != nil {
					return
				}
				if !ok {
					break
				}
				out = append(out, p.Raw...)
			}
			rest = rest[n:]
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatal("pieces are not the stream")
		}
	})
}

func FuzzDecode(f *testing.F) {
	for in := clientBytes(f); len(in) >= 5; {
		r := Reader{Table: Frontend(1<<20, 1<<30)}
		r.Feed(in)
		p, ok, _ := r.Next()
		if !ok {
			break
		}
		f.Add(p.Body)
		in = in[len(p.Raw):]
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = QueryText(b)
		if p, err := DecodeParse(b); err == nil {
			p.OIDs()
		}
		if d, err := DecodeBind(b); err == nil {
			for v := d.Values; ; {
				_, rest, _, ok := NextValue(v)
				if !ok {
					break
				}
				v = rest
			}
		}
		_, _, _ = DecodeNamed(b)
		_, _, _ = DecodeExecute(b)
		_, _ = DecodeRowDescription(nil, b)
		_, _ = DecodeParameterDescription(b)
		_, _, _ = CopyFormat(b)
		_, _, _ = DecodeStartup(b)
		Field(b, FieldCode)
		RewriteFields(nil, ErrorResponse, b, func(_ byte, v []byte) ([]byte, bool) { return v, true })
	})
}

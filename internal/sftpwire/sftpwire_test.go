package sftpwire

import (
	"bytes"
	"testing"
)

// requests are one of each sort.
var requests = []Request{
	{Type: Open, ID: 1, Path: "/a", Flags: FlagRead, Rest: []byte{0, 0, 0, 0}}, {Type: Close, ID: 2, Handle: "h"}, {Type: Read, ID: 3, Handle: "h", Offset: 7, Length: 9},
	{Type: Write, ID: 4, Handle: "h", Offset: 1 << 40, Data: []byte("data")}, {Type: Lstat, ID: 5, Path: "x"}, {Type: Setstat, ID: 6, Path: "x", Rest: []byte{0, 0, 0, 0}},
	{Type: Fsetstat, ID: 7, Handle: "h", Rest: []byte{0, 0, 0, 0}}, {Type: Rename, ID: 8, Path: "a", Path2: "b"}, {Type: Symlink, ID: 9, Path: "a", Path2: "b"},
	{Type: Extended, ID: 10, Extension: ExtPosixRename, Path: "a", Path2: "b"}, {Type: Extended, ID: 11, Extension: ExtFsync, Handle: "h"}, {Type: Extended, ID: 12, Extension: ExtLimits},
	{Type: Extended, ID: 13, Extension: ExtLsetstat, Path: "p", Rest: []byte{0, 0, 0, 0}}, {Type: Realpath, ID: 14, Path: "."}, {Type: Mkdir, ID: 15, Path: "d", Rest: []byte{0, 0, 0, 0}},
}

// TestEachName: names and lines can be changed in place; what is cut off is no packet.
func TestEachName(t *testing.T) {
	p := []byte{Name, 0, 0, 0, 1, 0, 0, 0, 2}
	for _, n := range []string{"a@b", "c"} {
		p = str(str(p, n), "-rw "+n)
		p = append(p, 0, 0, 0, 0x0d, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4) // size, permissions, times
	}
	var got []string
	if err := EachName(p, func(n []byte) { got = append(got, string(n)); n[0] = '*' }); err != nil || len(got) != 4 || got[3] != "-rw c" {
		t.Fatalf("%q %v", got, err)
	}
	if r, err := ParseResponse(p); err != nil || len(r.Names) != 2 || r.Names[0] != "*@b" {
		t.Errorf("%q %v", r.Names, err)
	}
	for n := range len(p) {
		if err := EachName(p[:n], func([]byte) {}); err == nil {
			t.Errorf("%d bytes are a packet", n)
		}
	}
	if err := EachName(append(p, 0), func([]byte) {}); err == nil {
		t.Error("what is behind is no packet")
	}
}

func TestRequests(t *testing.T) {
	for _, r := range requests {
		var f Framer
		wire := r.Encode()
		f.Add(wire[:3])
		if p, err := f.Next(); p != nil || err != nil {
			t.Fatal(p, err)
		}
		f.Add(wire[3:])
		p, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.Wire(), wire) {
			t.Errorf("%x on the wire", f.Wire())
		}
		got, err := ParseRequest(p)
		if err != nil || !bytes.Equal(got.Encode(), wire) {
			t.Errorf("%+v became %+v %v", r, got, err)
		}
		for i := 5; i < len(p); i++ {
			if q, err := ParseRequest(p[:i]); err == nil && len(r.Rest) == 0 && r.Extension != ExtLimits {
				t.Errorf("cut at %d: %+v", i, q)
			}
		}
	}
}

// TestExcess: what stands behind the data of a Write goes no further.
func TestExcess(t *testing.T) {
	q := Request{Type: Write, ID: 4, Handle: "h", Offset: 5, Data: []byte("data")}
	wire := q.Encode()
	r, err := ParseRequest(append(Packet(nil), append(wire[4:len(wire):len(wire)], "behind"...)...))
	if err != nil || !r.Excess || string(r.Data) != "data" || !bytes.Equal(r.Encode(), wire) {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := ParseRequest(wire[4:]); err != nil || r.Excess {
		t.Errorf("%+v %v", r, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, r := range requests {
		f.Add(r.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr Framer
		fr.Add(b)
		for range 100 {
			p, err := fr.Next()
			if p == nil || err != nil {
				return
			}
			if p.Type() == VersionP {
				_, _ = FilterVersion(p)
				continue
			}
			if r, err := ParseRequest(p); err == nil && r.Extension == "" && !r.Excess {
				again := r.Encode()
				if !bytes.Equal(again[4:], p) && r.Handle == "" && r.Path == "" {
					continue // an empty handle is written as an empty path, which is the same
				} else if !bytes.Equal(again[4:], p) {
					t.Errorf("%x became %x", []byte(p), again[4:])
				}
			}
			_, _ = ParseResponse(p)
		}
	})
}

// TestShort: a packet of the types that have no number may be shorter than all others.
func TestShort(t *testing.T) {
	for _, p := range []Packet{{Init}, {VersionP}, {Init, 0, 0, 0}} {
		if _, err := ParseRequest(p); err == nil {
			t.Errorf("%x is a request", []byte(p))
		}
		if _, err := ParseResponse(p); err == nil {
			t.Errorf("%x is a response", []byte(p))
		}
	}
}

func TestDescribeAttrs(t *testing.T) {
	for in, want := range map[string]string{
		"\x00\x00\x00\x00": "", "\x00\x00\x00\x04\x00\x00\x89\xed": "mode=4755", "\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07": "size=0 uid=0 gid=7",
	} {
		if got, ok := DescribeAttrs([]byte(in)); got != want || !ok {
			t.Errorf("%x: %q %v", in, got, ok)
		}
	}
	if _, ok := DescribeAttrs([]byte{0, 0, 0, 4, 0}); ok {
		t.Error("cut off")
	}
}

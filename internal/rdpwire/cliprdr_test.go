package rdpwire

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
)

func TestClip(t *testing.T) {
	m := Clip{Kind: ClipDataRequest, Body: []byte{13, 0, 0, 0}}
	if got, err := ParseClip(AppendClip(nil, m)); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v %v", got, err)
	}
	for _, long := range []bool{false, true} {
		formats := []Format{{ID: 13}, {ID: 0xc0de, Name: "HTML Format"}}
		if got, err := ParseFormats(Clip{Body: AppendFormats(nil, formats, long)}, long); err != nil || !reflect.DeepEqual(got, formats) {
			t.Errorf("long %v: %+v %v", long, got, err)
		}
	}
	r := Content{Stream: 1, Index: 2, Offset: 5 << 32, Count: 9}
	if got, err := ParseContent(AppendContent(nil, r)); err != nil || got != r {
		t.Errorf("%+v %v", got, err)
	}
	// Capabilities as FreeRDP says them: version 2, long names, streams, and more that is not passed on.
	caps := []byte{1, 0, 0, 0, 1, 0, 12, 0, 2, 0, 0, 0, 0xfe, 0, 0, 0}
	if !ClipLongNames(caps) || !ClipLongNames(TrimClipCapabilities(caps)) {
		t.Error("long names are lost")
	}
	if got := binary.LittleEndian.Uint32(TrimClipCapabilities(caps)[12:]); got != clipFlags {
		t.Errorf("flags %#x", got)
	}
}

// FuzzClip gives the clipboard's parsers whatever a peer may send.
func FuzzClip(f *testing.F) {
	f.Add(AppendClip(nil, Clip{Kind: ClipFormats, Body: AppendFormats(nil, []Format{{ID: 13, Name: "x"}}, true)}), true)
	f.Add(AppendContent(nil, Content{Size: true}), false)
	f.Add(append([]byte{1, 0, 0, 0}, make([]byte, fileLen)...), false)
	f.Add([]byte{1, 0, 0, 0, 1, 0, 12, 0, 2, 0, 0, 0, 0xfe, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, long bool) {
		if m, err := ParseClip(b); err == nil {
			if again, err := ParseClip(AppendClip(nil, m)); err != nil || again.Kind != m.Kind || !bytes.Equal(again.Body, m.Body) {
				t.Fatalf("%+v %+v %v", m, again, err)
			}
			if list, err := ParseFormats(m, long); err == nil && len(list) > maxFormats {
				t.Fatal(len(list))
			}
		}
		ClipLongNames(b)
		if n := len(TrimClipCapabilities(b)); n != 16 {
			t.Fatal(n)
		}
		if r, err := ParseContent(b); err == nil {
			if again, err := ParseContent(AppendContent(nil, r)); err != nil || again != r {
				t.Fatalf("%+v %+v %v", r, again, err)
			}
		}
		_, _ = ClipNumber(b)
		_, _ = ParseFiles(b)
		IsLicense(b)
		j := Joiner{Max: 1 << 16}
		_ = Chunks(b, func(c []byte) error {
			m, err := j.Add(c)
			if err == nil && m != nil && !bytes.Equal(m, b) {
				t.Fatal("chunks do not make the message")
			}
			return err
		})
	})
}

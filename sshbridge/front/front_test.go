package front

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

func header(family byte, addr []byte, tlvs ...any) []byte {
	body := append([]byte(nil), addr...)
	for i := 0; i < len(tlvs); i += 2 {
		v := tlvs[i+1].(string)
		body = append(body, byte(tlvs[i].(int)))
		body = binary.BigEndian.AppendUint16(body, uint16(len(v)))
		body = append(body, v...)
	}
	out := append([]byte(signature), proxyV2, family)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)))
	return append(out, body...)
}

var v4 = []byte{10, 1, 2, 3, 127, 0, 0, 1, 0x30, 0x39, 0, 22}

func TestRead(t *testing.T) {
	good := header(tcp4, v4, nodeconfig.TLVTargets, "web1,web2", nodeconfig.TLVURISAN, "spiffe://x/y", nodeconfig.TLVCertDigest, "-")
	r := bytes.NewReader(append(good, "SSH-2.0-x"...))
	f, err := Read(r)
	if err != nil || f.Client.String() != "10.1.2.3:12345" || !reflect.DeepEqual(f.Targets, []string{"web1", "web2"}) || f.SPIFFE != "spiffe://x/y" || f.CertDigest != "" {
		t.Fatalf("%+v %v", f, err)
	}
	if r.Len() != len("SSH-2.0-x") {
		t.Error("it read what is the client's")
	}
	for name, b := range map[string][]byte{
		"no header":      []byte("SSH-2.0-OpenSSH_9.2 and so on"),
		"no target":      header(tcp4, v4),
		"empty target":   header(tcp4, v4, nodeconfig.TLVTargets, "-"),
		"twice":          header(tcp4, v4, nodeconfig.TLVTargets, "a", nodeconfig.TLVTargets, "b"),
		"local":          append([]byte(signature), 0x20, 0, 0, 0),
		"unix":           header(0x31, make([]byte, 216), nodeconfig.TLVTargets, "a"),
		"cut address":    header(tcp4, v4[:5]),
		"cut TLV":        header(tcp4, append(append([]byte(nil), v4...), 0xE0, 0, 9, 'a')),
		"cut everything": good[:20],
	} {
		if f, err := Read(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(header(tcp4, v4, nodeconfig.TLVTargets, "web1"))
	f.Add(header(tcp6, make([]byte, 36), nodeconfig.TLVTargets, "web1", nodeconfig.TLVURISAN, "a,b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(bytes.NewReader(b))
		if err == nil && (len(got.Targets) == 0 || got.Targets[0] == "") {
			t.Error("no target, no error")
		}
	})
}

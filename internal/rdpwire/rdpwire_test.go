package rdpwire

import (
	"bytes"
	"reflect"
	"testing"
)

func TestConnect(t *testing.T) {
	r, err := ParseConnectRequest(AppendConnectRequest(nil, ProtocolSSL|ProtocolHybrid))
	if err != nil || !r.Negotiates || r.Protocols != ProtocolSSL|ProtocolHybrid {
		t.Errorf("%+v %v", r, err)
	}
	// As FreeRDP sends it, with its cookie.
	cookie := "Cookie: mstshash=alice\r\n"
	pdu := appendConnect(nil, x224Request, append([]byte(cookie), 1, 0, 8, 0, 1, 0, 0, 0))
	if r, err = ParseConnectRequest(pdu); err != nil || r.Cookie != "mstshash=alice" || r.Protocols != ProtocolSSL {
		t.Errorf("%+v %v", r, err)
	}
	if p, err := ParseConnectConfirm(AppendConnectConfirm(nil, ProtocolHybrid)); err != nil || p != ProtocolHybrid {
		t.Error(p, err)
	}
	if _, err := ParseConnectConfirm(AppendConnectFailure(nil, FailSSLRequired)); err != FailureError(FailSSLRequired) {
		t.Error(err)
	}
}

func TestDomains(t *testing.T) {
	for _, d := range []Domain{{Kind: ErectDomain}, {Kind: Disconnect, Reason: 3}, {Kind: AttachRequest}, {Kind: AttachConfirm, User: 1007},
		{Kind: JoinRequest, User: 1007, Channel: 1003}, {Kind: JoinConfirm, User: 1007, Channel: 1003},
		{Kind: SendRequest, User: 1007, Channel: 1003, Data: []byte("short")}, {Kind: SendIndicate, User: 1002, Channel: 1003, Data: bytes.Repeat([]byte("x"), 5000)}} {
		got, err := ParseDomain(AppendDomain(nil, d))
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%+v %v, want %+v", got, err, d)
		}
	}
}

func TestInputs(t *testing.T) {
	events := []Input{{Kind: InputKey, Code: 0x1e}, {Kind: InputKey, Code: 0x1e, Release: true, Extended: true}, {Kind: InputUnicode, Code: 'é'},
		{Kind: InputMouse, Flags: 0x800, X: 10, Y: 20}, {Kind: InputSync, Code: 2}}
	if got, err := ParseFastInput(AppendFastInput(nil, events)); err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("fast: %+v %v", got, err)
	}
	if got, err := ParseSlowInput(AppendSlowInput(nil, events)); err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("slow: %+v %v", got, err)
	}
}

func TestInfo(t *testing.T) {
	in := Info{Domain: "D", User: "alice", Password: string(bytes.Repeat([]byte("t"), 900)), CodePage: 0x409}
	got, err := ParseInfo(AppendInfo(nil, in))
	if err != nil || got.User != in.User || got.Password != in.Password || got.Domain != in.Domain {
		t.Errorf("%+v %v", got, err)
	}
}

func TestConferences(t *testing.T) {
	in := ClientData{Core: Core{Version: 0x80004, Width: 1024, Height: 768, Depth: 16, Name: "pc"}, Channels: []Channel{{Name: "cliprdr", Options: 1 << 31}}}
	got, err := ParseConnectInitial(AppendConnectInitial(nil, AppendClientBlocks(nil, in, ProtocolSSL)))
	if err != nil || got.Core.Width != 1024 || got.Core.Height != 768 || !reflect.DeepEqual(got.Channels, in.Channels) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := ParseConnectResponse(AppendConnectResponse(nil, AppendServerBlocks(nil, ProtocolSSL, 1003, []uint16{1004}))); err != nil {
		t.Error(err)
	}
}

func TestTrim(t *testing.T) {
	for _, s := range Trim(ServerSets(800, 600, 16)) {
		if _, ok := trim[s.Kind]; !ok {
			t.Errorf("set %d passes", s.Kind)
		}
	}
	w, h, depth, ok := Desktop(ServerSets(800, 600, 16))
	if !ok || w != 800 || h != 600 || depth != 16 {
		t.Error(w, h, depth, ok)
	}
	if got := Trim([]CapSet{{Kind: 28, Body: []byte{1, 2}}, {Kind: 29, Body: []byte{1}}}); len(got) > 0 {
		t.Errorf("surface commands or codecs pass: %v", got)
	}
	if got := Trim([]CapSet{{Kind: capFont, Body: make([]byte, 60_000)}, {Kind: capFont, Body: []byte("more")}}); len(got) != 1 || len(got[0].Body) != 4 {
		t.Errorf("sets carry something over: %d, %d bytes", len(got), len(got[0].Body))
	}
}

func TestChannels(t *testing.T) {
	message := bytes.Repeat([]byte("clipboard "), 1000)
	j := Joiner{Max: 1 << 20}
	var got []byte
	err := Chunks(message, func(b []byte) error {
		m, err := j.Add(b)
		if m != nil {
			got = bytes.Clone(m)
		}
		return err
	})
	if err != nil || !bytes.Equal(got, message) {
		t.Error(len(got), err)
	}
	if _, err := (&Joiner{Max: 10}).Add([]byte{11, 0, 0, 0, 3, 0, 0, 0}); err == nil {
		t.Error("a message over the bound")
	}
}

// FuzzParsers gives every parser whatever a peer may send.
func FuzzParsers(f *testing.F) {
	f.Add(AppendConnectRequest(nil, ProtocolSSL))
	f.Add(AppendConnectConfirm(nil, ProtocolHybrid))
	f.Add(AppendConnectInitial(nil, AppendClientBlocks(nil, ClientData{Channels: []Channel{{Name: "rdpsnd"}}}, ProtocolSSL)))
	f.Add(AppendConnectResponse(nil, AppendServerBlocks(nil, ProtocolSSL, 1003, nil)))
	f.Add(AppendFastInput(nil, []Input{{Kind: InputKey, Code: 3}}))
	f.Add(AppendUpdate(nil, Update{Code: UpdateBitmap, Data: AppendBitmap(nil, Rect{Width: 4, Height: 1, Depth: 16, Data: make([]byte, 8)})}))
	f.Add(AppendInfo(nil, Info{User: "u"}))
	f.Add(AppendDemandActive(nil, Active{Sets: ServerSets(64, 64, 16)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := PDULength(b); err == nil && n > MaxPDU {
			t.Fatal(n)
		}
		_, _ = ParseConnectRequest(b)
		_, _ = ParseConnectConfirm(b)
		_, _ = ParseConnectInitial(b)
		_, _ = ParseConnectResponse(b)
		_, _ = Data(b)
		_, _ = ParseInfo(b)
		_ = ParseLicense(b)
		_, _ = ParseFastInput(b)
		_, _ = ParseSlowInput(b)
		_, _ = ParseBitmaps(b)
		_, _ = ParsePalette(b)
		_, _ = SlowUpdate(b)
		_, _ = SlowPointer(b)
		if d, err := ParseDomain(b); err == nil && len(d.Data) <= MaxMCS {
			if again, err := ParseDomain(AppendDomain(nil, d)); err != nil || again.Kind != d.Kind || !bytes.Equal(again.Data, d.Data) {
				t.Fatalf("%+v %+v %v", d, again, err)
			}
		}
		if list, err := ParseUpdates(b); err == nil {
			for _, u := range list {
				if len(u.Data) > len(b) {
					t.Fatal("an update larger than its PDU")
				}
			}
		}
		for rest := b; len(rest) > 0; {
			s, next, err := NextShare(rest)
			if err != nil || len(next) >= len(rest) {
				break
			}
			_ = s
			rest = next
		}
		for _, parse := range []func([]byte) (Active, error){ParseDemandActive, ParseConfirmActive} {
			if a, err := parse(b); err == nil {
				Trim(a.Sets)
				Desktop(a.Sets)
				FastOutput(a.Sets)
			}
		}
		_, _ = (&Joiner{Max: 1 << 16}).Add(b)
	})
}

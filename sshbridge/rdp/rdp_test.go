package rdp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// recorded is all that the spool has.
func (r *rig) recorded() (all []byte) {
	r.t.Helper()
	err := filepath.WalkDir(r.spool, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func picture(marker string) []byte {
	data := append([]byte(marker), make([]byte, 64*4*4-len(marker))...)
	return rdpwire.AppendUpdate(nil, rdpwire.Update{Code: rdpwire.UpdateBitmap,
		Data: rdpwire.AppendBitmap(nil, rdpwire.Rect{Right: 63, Bottom: 3, Width: 64, Height: 4, Depth: 32, Data: data})})
}

// TestPasses: what is understood passes both ways, recorded first; nothing else does.
func TestPasses(t *testing.T) {
	r := newRig(t, allow(), nil, func(t *Target) { t.Keyboard = KeysClear })
	client, target := r.session()
	if target.info.User != "svc" || target.info.Domain != "CORP" || target.info.Password != "hunter2" {
		t.Errorf("the target is given %q %q", target.info.Domain, target.info.User)
	}
	shown := picture("a picture of something")
	if err := target.w.write(shown); err != nil {
		t.Fatal(err)
	}
	if got := client.next(contains("a picture")); !bytes.Equal(got, shown) {
		t.Errorf("the client gets %x", got)
	}
	// A drive's channel is off: what comes on it goes nowhere, and what is behind it does.
	client.send(rdpwire.SendRequest, firstChannel, []byte("a drive is announced"))
	keys := []rdpwire.Input{{Kind: rdpwire.InputKey, Code: 0x1e}, {Kind: rdpwire.InputMouse, Flags: 0x9000, X: 7, Y: 8}}
	if err := client.w.write(rdpwire.AppendFastInput(nil, keys)); err != nil {
		t.Fatal(err)
	}
	got := target.next(func(b []byte) bool {
		if bytes.Contains(b, []byte("a drive")) {
			t.Error("the drive's channel reaches the target")
		}
		return !rdpwire.IsTPKT(b)
	})
	if events, err := rdpwire.ParseFastInput(got); err != nil || len(events) != 2 || events[0] != keys[0] || events[1] != keys[1] {
		t.Errorf("the target gets %+v %v", events, err)
	}
	// So is what a target sends on a channel that nobody has asked for.
	target.send(rdpwire.SendIndicate, 1044, []byte("a sound"))
	target.w.write(picture("another"))
	client.next(func(b []byte) bool {
		if bytes.Contains(b, []byte("a sound")) {
			t.Error("a channel reaches the client")
		}
		return bytes.Contains(b, []byte("another"))
	})
	all := r.recorded()
	for _, want := range [][]byte{shown, rdpwire.AppendFastInput(nil, keys)} {
		if !bytes.Contains(all, want) {
			t.Errorf("not recorded: %.60x", want)
		}
	}
	for _, no := range []string{"hunter2", "a drive is announced"} {
		if bytes.Contains(all, []byte(no)) {
			t.Errorf("%q is in the record", no)
		}
	}
}

// TestHostileTargets: what was not negotiated, or does not decode, ends the session, and does not reach the client.
func TestHostileTargets(t *testing.T) {
	update := func(code byte, data string) []byte {
		return rdpwire.AppendUpdate(nil, rdpwire.Update{Code: code, Data: []byte(data)})
	}
	share := func(s rdpwire.Share) []byte {
		s.Source, s.ShareID = 1002, targetShare
		return rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: 1002, Channel: ioChannel, Data: rdpwire.AppendShare(nil, s)}))
	}
	rect := func(r rdpwire.Rect) []byte {
		return rdpwire.AppendUpdate(nil, rdpwire.Update{Code: rdpwire.UpdateBitmap, Data: rdpwire.AppendBitmap(nil, r)})
	}
	compressed := picture("evil")
	compressed[3] |= 0x80 // of compression: a byte of flags follows
	for name, pdu := range map[string][]byte{
		"orders":          update(rdpwire.UpdateOrders, "\x01\x00evil"),
		"surface":         update(rdpwire.UpdateSurface, "evil"),
		"unknown":         update(15, "evil"),
		"large pointer":   update(12, "evil"),
		"half a bitmap":   update(rdpwire.UpdateBitmap, "\x01\x00\x01\x00evil"),
		"compressed":      compressed,
		"huge":            rect(rdpwire.Rect{Right: 9, Bottom: 9, Width: 0xffff, Height: 0xffff, Depth: 32, Compressed: true, Data: []byte("evil")}),
		"depth":           rect(rdpwire.Rect{Right: 1, Bottom: 0, Width: 2, Height: 1, Depth: 17, Data: []byte("evil")}),
		"planar":          rect(rdpwire.Rect{Right: 9, Bottom: 9, Width: 10, Height: 10, Depth: 32, Compressed: true, Data: []byte("\x10evil")}),
		"stray fragment":  rdpwire.AppendUpdate(nil, rdpwire.Update{Code: rdpwire.UpdateBitmap, Fragment: rdpwire.FragmentLast, Data: []byte("evil")}),
		"redirection":     share(rdpwire.Share{Kind: rdpwire.ShareRedirection, Body: []byte("evil")}),
		"share":           share(rdpwire.Share{Kind: 9, Body: []byte("evil")}),
		"slow orders":     share(rdpwire.Share{Kind: rdpwire.ShareData, Type: rdpwire.DataUpdate, Body: []byte("\x00\x00\x00\x00\x01\x00evil")}),
		"demand":          share(rdpwire.Share{Kind: rdpwire.ShareDemandActive, Body: []byte("evil")}),
		"neither":         []byte("\x01evil of no kind"),
		"huge clipboard":  clipPDU([]byte("\xff\xff\xff\x7f\x03\x00\x00\x00evil")),
		"clipboard kind":  clipPDU(chunk(rdpwire.AppendClip(nil, rdpwire.Clip{Kind: 99, Body: []byte("evil")}))),
		"clipboard zlib":  clipPDU([]byte("\x04\x00\x00\x00\x03\x00\x20\x00evil")),
		"clipboard parts": clipPDU([]byte("\x08\x00\x00\x00\x02\x00\x00\x00evil")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow(), nil, nil)
			client, target := r.session()
			if err := target.w.write(pdu); err != nil {
				t.Fatal(err)
			}
			said := false
			for client.next(func(b []byte) bool {
				if bytes.Contains(b, []byte("evil")) {
					t.Errorf("the client gets %x", b)
				}
				s, _ := shareOf(b)
				said = said || s.Type == rdpwire.DataErrorInfo
				return true
			}) != nil {
			}
			if !said {
				t.Error("the client is not told")
			}
		})
	}
}

func chunk(message []byte) (out []byte) {
	_ = rdpwire.Chunks(message, func(b []byte) error { out = append(out, b...); return nil })
	return out
}

// clipPDU is data on the clipboard's channel, from the target.
func clipPDU(data []byte) []byte {
	return rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: 1002, Channel: 1010, Data: data}))
}

// TestHostileClients: what is malformed ends that connection; the target gets nothing of it.
func TestHostileClients(t *testing.T) {
	send := func(channel uint16, data string) []byte {
		return rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendRequest, User: clientUser, Channel: channel, Data: []byte(data)}))
	}
	for name, pdu := range map[string][]byte{
		"input":     {0x04, 0x06, 0xff, 'e', 'v', 'i'},
		"encrypted": {0x84, 0x06, 0x00, 'e', 'v', 'i'},
		"neither":   []byte("\x01evil of no kind"),
		"x224":      []byte("\x03\x00\x00\x0bevil...."),
		"mcs":       rdpwire.AppendData(nil, []byte("\xfcevil")),
		"share":     send(ioChannel, "\x40\x00\x17\x00evil"),
		"kind":      send(ioChannel, "\x0a\x00\x1c\x00\x00\x00evil"),
		"clipboard": send(firstChannel+1, "evil"),
		"again":     rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.AttachRequest})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow(), nil, nil)
			client, target := r.session()
			if err := client.w.write(pdu); err != nil {
				t.Fatal(err)
			}
			for target.next(func(b []byte) bool {
				if bytes.Contains(b, []byte("evi")) {
					t.Errorf("the target gets %x", b)
				}
				return true
			}) != nil {
			}
			for client.next(func([]byte) bool { return true }) != nil {
			}
		})
	}
}

// TestStrangers: who has not logged in gets no target, whatever they send.
func TestStrangers(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing": nil, "garbage": []byte("\x03\x00\x00\x1fgarbage garbage garbage ..."), "http": []byte("GET / HTTP/1.1\r\n\r\n"),
		"input": rdpwire.AppendFastInput(nil, []rdpwire.Input{{Kind: rdpwire.InputKey, Code: 1}}),
		"early": rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendRequest, User: 1040, Channel: ioChannel, Data: []byte("x")})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow(), nil, nil)
			p := newPeer(t, r.raw())
			if len(b) > 0 {
				if err := p.w.write(b); err != nil {
					t.Fatal(err)
				}
			} else {
				p.w.conn.Close()
			}
			p.client()
			wrong := r.connect("another token")
			for share := range wrong.ready {
				if share == lobbyShare {
					break
				}
			}
			if wrong.refused() == nil {
				t.Error("the refusal has no reason")
			}
			done := make(chan struct{})
			go func() {
				if c, err := r.target.Accept(); err == nil {
					t.Error("the target is connected to")
					c.Close()
				}
				close(done)
			}()
			r.target.Close()
			<-done
		})
	}
}

// TestMasksRefuseTheDesktop: a picture cannot be masked, so where detectors apply there is none.
func TestMasksRefuseTheDesktop(t *testing.T) {
	r := newRig(t, allow(), []policy.MaskRule{{Name: "pii", Detectors: []string{"email"}}}, nil)
	client := r.connect("token")
	<-client.ready
	if client.refused() == nil {
		t.Error("it is not refused")
	}
}

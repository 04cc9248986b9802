package rdp

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// TestHostileLogins: a target that does anything else than to log us in is no session. The client reads that there is none, and before
// the login's last message nobody has the password.
func TestHostileLogins(t *testing.T) {
	confirm := func(protocol uint32) []byte { return rdpwire.AppendConnectConfirm(nil, protocol) }
	mcs := func(payload []byte) []byte { return rdpwire.AppendData(nil, payload) }
	response := func(blocks []byte) []byte { return mcs(rdpwire.AppendConnectResponse(nil, blocks)) }
	encrypted := rdpwire.AppendServerBlocks(nil, rdpwire.ProtocolSSL, ioChannel, []uint16{1010})
	encrypted[bytes.Index(encrypted, []byte{2, 0x0c, 12, 0})+4] = 2 // 128 bits
	indicate := func(data []byte) []byte {
		return mcs(rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: 1002, Channel: ioChannel, Data: data}))
	}
	license := indicate([]byte{0x80, 0, 0, 0, 1, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0})    // a license request
	redirected := indicate([]byte{0, 4, 0, 0, 'o', 't', 'h', 'e', 'r', ' ', 'h', 'o'}) // SEC_REDIRECTION_PKT
	for name, is := range map[string]struct {
		negotiation []byte
		nla         bool     // rdp.nla
		talk        [][]byte // within TLS, after Connect Initial; nil: joins properly
		login       [][]byte // after Client Info
	}{
		"no encryption":        {negotiation: confirm(rdpwire.ProtocolRDP)},
		"not offered":          {negotiation: confirm(rdpwire.ProtocolHybridEx)},
		"unknown":              {negotiation: confirm(0x80000000)},
		"refuses":              {negotiation: rdpwire.AppendConnectFailure(nil, 3)},
		"no RDP":               {negotiation: []byte("SSH-2.0-OpenSSH_9.2p1\r\n")},
		"fast path":            {negotiation: append([]byte{0, 0xff, 0xff}, make([]byte, 0x7ffc)...)},
		"downgrade":            {negotiation: confirm(rdpwire.ProtocolSSL), nla: true},
		"no CredSSP":           {negotiation: confirm(rdpwire.ProtocolHybrid), talk: [][]byte{bytes.Repeat([]byte("HTTP/1.1 200 OK\r\n\r\n"), 10)}},
		"CredSSP's length":     {negotiation: confirm(rdpwire.ProtocolHybrid), talk: [][]byte{{0x30, 0x83, 0xff, 0xff, 0xff}}},
		"CredSSP without end":  {negotiation: confirm(rdpwire.ProtocolHybrid), talk: [][]byte{{0x30, 0x80, 0, 0}}},
		"CredSSP without NTLM": {negotiation: confirm(rdpwire.ProtocolHybrid), talk: [][]byte{{0x30, 5, 0xa0, 3, 2, 1, 6}}},
		"BER":                  {negotiation: confirm(rdpwire.ProtocolSSL), talk: [][]byte{mcs([]byte{0x7f, 0x66, 0x82, 0xff, 0xff, 1})}},
		"encryption below TLS": {negotiation: confirm(rdpwire.ProtocolSSL), talk: [][]byte{response(encrypted)}},
		"more channels":        {negotiation: confirm(rdpwire.ProtocolSSL), talk: [][]byte{response(rdpwire.AppendServerBlocks(nil, 1, ioChannel, []uint16{1010, 1011}))}},
		"no channel":           {negotiation: confirm(rdpwire.ProtocolSSL), talk: [][]byte{response(rdpwire.AppendServerBlocks(nil, 1, ioChannel, nil))}},
		"another answer":       {negotiation: confirm(rdpwire.ProtocolSSL), talk: [][]byte{response(rdpwire.AppendServerBlocks(nil, 1, ioChannel, []uint16{1010})), indicate([]byte("evil"))}},
		"asks again and again": {negotiation: confirm(rdpwire.ProtocolSSL), login: [][]byte{license, license}},
		"never licenses":       {negotiation: confirm(rdpwire.ProtocolSSL), login: bytes.SplitN(bytes.Repeat(append(indicate([]byte("evil evil")), '\n'), 17), []byte("\n"), 17)},
		"redirection at once":  {negotiation: confirm(rdpwire.ProtocolSSL), login: bytes.SplitN(bytes.Repeat(append(redirected, '\n'), 17), []byte("\n"), 17)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow(), nil, func(t *Target) { t.NLA = is.nla })
			client := r.connect("token")
			got := make(chan []byte, 1)
			go func() {
				got <- func() []byte {
					c, err := r.target.Accept()
					if err != nil {
						return nil
					}
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(limit))
					if _, err := newWire(c).read(); err != nil {
						return nil
					}
					_, _ = c.Write(is.negotiation)
					if is.talk == nil && is.login == nil {
						b, _ := io.ReadAll(c)
						return b
					}
					return r.talk(c, is.talk, is.login)
				}()
			}()
			for share := range client.ready {
				if share == lobbyShare {
					break
				}
			}
			told := client.refused()
			if told == nil {
				t.Error("the client is not told")
			}
			if b := <-got; is.login == nil && bytes.Contains(b, rdpwire.AppendText(nil, "hunter2")) {
				t.Error("the target has the password")
			}
			if bytes.Contains(told, []byte("evil")) {
				t.Errorf("the client gets %x", told)
			}
		})
	}
}

// refused presses a key until the refusal that stands on the screen is over, and gives the PDU that says so.
func (p *peer) refused() []byte {
	said := make(chan struct{})
	defer close(said)
	go func() {
		for {
			select {
			case <-said:
				return
			case <-time.After(50 * time.Millisecond):
				_ = p.w.write(rdpwire.AppendFastInput(nil, []rdpwire.Input{{Kind: rdpwire.InputKey, Code: 0x39}})) // it may be over
			}
		}
	}()
	return p.next(func(b []byte) bool { s, _ := shareOf(b); return s.Type == rdpwire.DataErrorInfo })
}

// talk is a target within TLS; it gives what it was sent.
func (r *rig) talk(c net.Conn, talk, login [][]byte) []byte {
	secure := tls.Server(c, r.cert)
	w := newWire(secure)
	if talk != nil {
		if _, err := secure.Read(make([]byte, 1)); err != nil {
			return nil
		}
		for _, b := range talk {
			_, _ = secure.Write(b)
		}
		b, _ := io.ReadAll(secure)
		return b
	}
	p := newPeer(r.t, secure)
	p.w, p.user, p.io = w, 1002, ioChannel
	if _, err := w.readData(); err != nil {
		return nil
	}
	blocks := rdpwire.AppendServerBlocks(nil, rdpwire.ProtocolSSL, p.io, []uint16{1010})
	if w.write(rdpwire.AppendData(nil, rdpwire.AppendConnectResponse(nil, blocks))) != nil || !p.joins() {
		return nil
	}
	for _, b := range login {
		_, _ = secure.Write(b)
	}
	b, _ := io.ReadAll(secure)
	return b
}

// TestManyDesktops: a target cannot have the bridge make one desktop after the other.
func TestManyDesktops(t *testing.T) {
	r := newRig(t, allow(), nil, nil)
	_, target := r.session()
	demand := rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareDemandActive, Source: target.user,
		Body: rdpwire.AppendDemandActive(nil, rdpwire.Active{ShareID: targetShare, Sets: rdpwire.ServerSets(8192, 4096, 32)})})
	pdu := rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: target.user, Channel: target.io, Data: demand}))
	if err := target.w.write(bytes.Repeat(pdu, 4*maxUntaken)); err != nil {
		t.Fatal(err)
	}
	for target.next(func([]byte) bool { return true }) != nil { // until the bridge hangs up
	}
	if !bytes.Contains(r.recorded(), []byte("faster than the client takes them")) {
		t.Error("the record does not say why it ended")
	}
}

// TestSizes: a desktop that nobody has is refused at once; the smallest and the largest get as far as to words.
func TestSizes(t *testing.T) {
	for _, size := range [][2]uint16{{0, 600}, {800, 0}, {0xffff, 0xffff}, {8193, 1}, {1, 1}, {8192, 8192}} {
		r := newRig(t, allow(), nil, nil)
		p := newPeer(t, r.raw())
		data := rdpwire.ClientData{Core: rdpwire.Core{Version: 0x80004, Width: size[0], Height: size[1], Depth: 24, Want32: true}}
		if err := p.w.write(rdpwire.AppendData(nil, rdpwire.AppendConnectInitial(nil, rdpwire.AppendClientBlocks(nil, data, rdpwire.ProtocolSSL)))); err != nil {
			t.Fatal(err)
		}
		_, err := p.w.readData()
		if good := min(size[0], size[1]) > 0 && max(size[0], size[1]) <= 8192; (err == nil) != good {
			t.Errorf("%v: %v", size, err)
		}
	}
}

// TestConfirmedOnce: what a client says of its abilities reaches the target once, and has no room for anything else.
func TestConfirmedOnce(t *testing.T) {
	r := newRig(t, allow(), nil, nil)
	client, target := r.session()
	evil := rdpwire.AppendConfirmActive(nil, rdpwire.Active{ShareID: targetShare, Sets: []rdpwire.CapSet{{Kind: 14, Body: bytes.Repeat([]byte("evil"), 1000)}}})
	client.reply(rdpwire.Share{Kind: rdpwire.ShareConfirmActive, Body: evil})
	client.reply(rdpwire.Share{Kind: rdpwire.ShareData, Type: rdpwire.DataRefreshRect, Body: append([]byte{200, 0, 0, 0}, bytes.Repeat([]byte("evil"), 400)...)})
	client.reply(rdpwire.Share{Kind: rdpwire.ShareData, Type: rdpwire.DataSuppressOutput, Body: []byte{1, 0, 0, 0, 9, 9, 9, 9, 8, 8, 8, 8}})
	target.next(func(b []byte) bool {
		if bytes.Count(b, []byte("evil")) > 6 {
			t.Errorf("the target gets %d bytes", len(b))
		}
		s, _ := shareOf(b)
		return s.Type == rdpwire.DataSuppressOutput
	})
}

package rdp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/ulid"
)

// limit bounds every wait.
const limit = 60 * time.Second

// authorizer lets everybody in who has the token.
type authorizer struct{}

func (authorizer) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	if req.Token != "token" && req.Token != "eyJhead.tail" {
		return check.OpenResponse{}, &check.Refusal{Message: "who are you?"}
	}
	return check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: identity.New("user:a", "agent:b"), Target: policy.Target{Name: req.Target, Protocol: "rdp"},
		Decision: policy.Decision{Verdict: policy.Allow}, Credentials: check.Credentials{User: `CORP\svc`, Password: "hunter2"}}, nil
}

func (authorizer) Hold(context.Context, check.HoldRequest) (check.HoldResponse, error) {
	return check.HoldResponse{}, context.Canceled
}

// rig is the bridge between a client and a target of the test's own.
type rig struct {
	t      *testing.T
	bridge string // address
	spool  string
	target net.Listener
	cert   *tls.Config
}

func newRig(t *testing.T, rules []policy.Rule, masks []policy.MaskRule, change func(*Target)) *rig {
	t.Helper()
	var handle policy.Handle
	handle.Swap(engineOf(t, rules, masks))
	var err error
	r := &rig{t: t, spool: t.TempDir(), cert: serverTLS(t)}
	spool, err := record.OpenSpool(r.spool, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	if r.target, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.target.Close() })
	target := &Target{Policy: policy.Target{Name: "desk", Protocol: "rdp"}, Addresses: []string{r.target.Addr().String()}, Client: r.cert,
		TLS: &tls.Config{InsecureSkipVerify: true}, Clipboard: true}
	if change != nil {
		change(target)
	}
	s, err := New(Options{Runtime: session.New(session.Options{Node: "n", Authorizer: authorizer{}, Spool: spool}), Policy: &handle,
		Target: func(name string) (*Target, bool) { return target, name == "desk" }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.bridge = l.Addr().String()
	go s.Serve(l)
	t.Cleanup(func() { l.Close(); s.Close() })
	return r
}

// engines are those that were compiled, which takes long with the race detector.
var engines struct {
	sync.Mutex
	m map[string]*policy.Engine
}

func engineOf(t *testing.T, rules []policy.Rule, masks []policy.MaskRule) *policy.Engine {
	t.Helper()
	bundle, err := policy.Source{Rules: rules, Masks: masks}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	engines.Lock()
	defer engines.Unlock()
	if e := engines.m[bundle.Revision]; e != nil {
		return e
	}
	e, err := policy.Compile(context.Background(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	if engines.m == nil {
		engines.m = map[string]*policy.Engine{}
	}
	engines.m[bundle.Revision] = e
	return e
}

func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// peer is either end. What it is not answered by itself is in got.
type peer struct {
	t     *testing.T
	w     *wire
	user  uint16
	io    uint16
	share uint32
	got   chan []byte // whole PDUs; closed at the end
	ready chan uint32 // shares that have been taken
	info  rdpwire.Info
}

func newPeer(t *testing.T, c net.Conn) *peer {
	t.Cleanup(func() { c.Close() })
	return &peer{t: t, w: newWire(c), got: make(chan []byte, 1000), ready: make(chan uint32, 10)}
}

// check fails the test; usable from any goroutine.
func (p *peer) check(err error) bool {
	if err != nil {
		p.t.Error(err)
	}
	return err == nil
}

func (p *peer) send(kind byte, channel uint16, data []byte) {
	_ = p.w.writeDomain(rdpwire.Domain{Kind: kind, User: p.user, Channel: channel, Data: data}) // the other end may be gone
}

// next is the next PDU of which is says so; nil at the end.
func (p *peer) next(is func([]byte) bool) []byte {
	p.t.Helper()
	late := time.After(limit)
	for {
		select {
		case b, ok := <-p.got:
			if !ok {
				return nil
			}
			if is(b) {
				return b
			}
		case <-late:
			p.t.Fatal("it does not come")
		}
	}
}

// proxyHeader is what Envoy sends first.
func proxyHeader() []byte {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 0)
	b = append(b, 127, 0, 0, 1, 127, 0, 0, 1, 0x30, 0x39, 0x0d, 0x3d)
	b = append(b, nodeconfig.TLVTargets, 0, 4)
	b = append(b, "desk"...)
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-16))
	return b
}

// raw is a connection to the bridge on which TLS is spoken.
func (r *rig) raw() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.bridge)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write(append(proxyHeader(), rdpwire.AppendConnectRequest(nil, rdpwire.ProtocolSSL)...)); err != nil {
		r.t.Fatal(err)
	}
	w := newWire(c)
	pdu, err := w.read()
	if err != nil {
		r.t.Fatal(err)
	}
	if p, err := rdpwire.ParseConnectConfirm(pdu); err != nil || p != rdpwire.ProtocolSSL {
		r.t.Fatal(p, err)
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
}

var clientChannels = []rdpwire.Channel{{Name: "rdpdr", Options: 0x80000000}, {Name: "cliprdr", Options: 0xc0000000}}

// connect logs a client in.
func (r *rig) connect(password string) *peer {
	r.t.Helper()
	p := newPeer(r.t, r.raw())
	must := func(err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	data := rdpwire.ClientData{Core: rdpwire.Core{Version: 0x80004, Width: 640, Height: 480, Depth: 24, Want32: true, Name: "pc"}, Channels: clientChannels}
	must(p.w.write(rdpwire.AppendData(nil, rdpwire.AppendConnectInitial(nil, rdpwire.AppendClientBlocks(nil, data, rdpwire.ProtocolSSL)))))
	b, err := p.w.readData()
	must(err)
	theirs, err := rdpwire.ParseConnectResponse(b)
	must(err)
	must(p.w.writeDomain(rdpwire.Domain{Kind: rdpwire.ErectDomain}))
	d, err := ask(p.w, rdpwire.Domain{Kind: rdpwire.AttachRequest}, rdpwire.AttachConfirm)
	must(err)
	p.user, p.io = d.User, theirs.IOChannel
	for _, id := range append([]uint16{p.user, p.io}, theirs.Channels...) {
		_, err := ask(p.w, rdpwire.Domain{Kind: rdpwire.JoinRequest, User: p.user, Channel: id}, rdpwire.JoinConfirm)
		must(err)
	}
	p.send(rdpwire.SendRequest, p.io, rdpwire.AppendInfo(nil, rdpwire.Info{User: "desk", Password: password}))
	go p.client()
	return p
}

// client answers what a client answers.
func (p *peer) client() {
	defer close(p.got)
	for {
		pdu, err := p.w.read()
		if err != nil {
			return
		}
		if s, ok := shareOf(pdu); ok && s.Kind == rdpwire.ShareDemandActive {
			a, err := rdpwire.ParseDemandActive(s.Body)
			if !p.check(err) {
				return
			}
			p.share = a.ShareID
			p.reply(rdpwire.Share{Kind: rdpwire.ShareConfirmActive, Body: rdpwire.AppendConfirmActive(nil, rdpwire.Active{ShareID: a.ShareID, Sets: rdpwire.ServerSets(640, 480, 32)})})
			for _, s := range []rdpwire.Share{{Type: rdpwire.DataSynchronize, Body: []byte{1, 0, 0, 0}}, {Type: rdpwire.DataControl, Body: []byte{4, 0, 0, 0, 0, 0, 0, 0}},
				{Type: rdpwire.DataControl, Body: []byte{1, 0, 0, 0, 0, 0, 0, 0}}, {Type: rdpwire.DataFontList, Body: make([]byte, 8)}} {
				s.Kind = rdpwire.ShareData
				p.reply(s)
			}
			continue
		}
		if s, ok := shareOf(pdu); ok && s.Type == rdpwire.DataFontMap {
			p.ready <- s.ShareID
			continue
		}
		p.got <- bytes.Clone(pdu)
	}
}

// shareOf is the share PDU that a PDU carries.
func shareOf(pdu []byte) (rdpwire.Share, bool) {
	b, err := rdpwire.Data(pdu)
	if err != nil {
		return rdpwire.Share{}, false
	}
	d, err := rdpwire.ParseDomain(b)
	if err != nil || d.Channel != ioChannel {
		return rdpwire.Share{}, false
	}
	s, _, err := rdpwire.NextShare(d.Data)
	return s, err == nil
}

func (p *peer) reply(s rdpwire.Share) {
	s.Source, s.ShareID = p.user, p.share
	p.send(rdpwire.SendRequest, p.io, rdpwire.AppendShare(nil, s))
}

const targetShare = 0x66aa

// accept is the target's end, once the client has taken its desktop.
func (r *rig) accept() *peer {
	r.t.Helper()
	done := make(chan *peer, 1)
	go func() { done <- r.serveTarget() }()
	select {
	case p := <-done:
		if p == nil {
			r.t.Fatal("no target")
		}
		return p
	case <-time.After(limit):
		r.t.Fatal("nobody connects to the target")
	}
	return nil
}

func (r *rig) serveTarget() *peer {
	c, err := r.target.Accept()
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	if _, err := newWire(c).read(); err != nil {
		return nil
	}
	if _, err := c.Write(rdpwire.AppendConnectConfirm(nil, rdpwire.ProtocolSSL)); err != nil {
		return nil
	}
	p := newPeer(r.t, tls.Server(c, r.cert))
	p.user, p.io = 1002, ioChannel
	b, err := p.w.readData()
	if !p.check(err) {
		return nil
	}
	d, err := rdpwire.ParseConnectInitial(b)
	if !p.check(err) {
		return nil
	}
	var ids []uint16
	for i, ch := range d.Channels {
		if ch.Name != clipboardName {
			r.t.Errorf("the target is asked for channel %q", ch.Name)
		}
		ids = append(ids, 1010+uint16(i))
	}
	p.check(p.w.write(rdpwire.AppendData(nil, rdpwire.AppendConnectResponse(nil, rdpwire.AppendServerBlocks(nil, rdpwire.ProtocolSSL, p.io, ids)))))
	if !p.joins() {
		return nil
	}
	p.send(rdpwire.SendIndicate, p.io, rdpwire.AppendLicenseValid(nil))
	p.send(rdpwire.SendIndicate, p.io, rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareDemandActive, Source: p.user,
		Body: rdpwire.AppendDemandActive(nil, rdpwire.Active{ShareID: targetShare, Sets: rdpwire.ServerSets(640, 480, 32)})}))
	taken := make(chan struct{})
	go p.targetSide(taken)
	select {
	case <-taken:
		return p
	case <-time.After(limit):
		return nil
	}
}

// joins goes on to Client Info.
func (p *peer) joins() bool {
	for {
		b, err := p.w.readData()
		if !p.check(err) {
			return false
		}
		d, err := rdpwire.ParseDomain(b)
		if !p.check(err) {
			return false
		}
		switch d.Kind {
		case rdpwire.AttachRequest:
			_ = p.w.writeDomain(rdpwire.Domain{Kind: rdpwire.AttachConfirm, User: 1005})
		case rdpwire.JoinRequest:
			_ = p.w.writeDomain(rdpwire.Domain{Kind: rdpwire.JoinConfirm, User: 1005, Channel: d.Channel})
		case rdpwire.SendRequest:
			p.info, err = rdpwire.ParseInfo(d.Data)
			return p.check(err)
		}
	}
}

// targetSide answers what a target answers.
func (p *peer) targetSide(taken chan struct{}) {
	defer close(p.got)
	for {
		pdu, err := p.w.read()
		if err != nil {
			return
		}
		s, ok := shareOf(pdu)
		if ok && s.Kind == rdpwire.ShareData && s.ShareID != targetShare {
			p.t.Errorf("share %#x at the target", s.ShareID)
		}
		switch {
		case ok && s.Type == rdpwire.DataFontList:
			p.send(rdpwire.SendIndicate, p.io, rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareData, Type: rdpwire.DataFontMap, ShareID: targetShare,
				Source: p.user, Body: []byte{0, 0, 0, 0, 3, 0, 4, 0}}))
			close(taken)
			continue
		case ok && (s.Kind == rdpwire.ShareConfirmActive || s.Type == rdpwire.DataControl || s.Type == rdpwire.DataSynchronize):
			continue
		}
		p.got <- bytes.Clone(pdu)
	}
}

// session is both ends, with the client in the target's desktop.
func (r *rig) session() (client, target *peer) {
	r.t.Helper()
	client = r.connect("token")
	target = r.accept()
	for {
		select {
		case share := <-client.ready:
			if share == targetShare {
				return client, target
			}
		case <-time.After(limit):
			r.t.Fatal("the client is not in the target's desktop")
		}
	}
}

// allow lets everything pass, but what blocks says.
func allow(blocks ...policy.Rule) []policy.Rule {
	return append(blocks, policy.Rule{Name: "all", Verdict: "allow"})
}

func contains(what string) func([]byte) bool {
	return func(b []byte) bool { return strings.Contains(string(b), what) }
}

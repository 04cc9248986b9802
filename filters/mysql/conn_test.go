package mysql

import (
	"bytes"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

func TestSession(t *testing.T) {
	for _, caps := range []uint32{wire.Offered, wire.Offered &^ wire.CapDeprecateEOF} {
		r := newRig(t, false)
		r.caps = caps
		r.hello()
		r.h.toClient = nil
		r.query("SELECT id, ssn FROM customers")
		if !r.sent("SELECT id, ssn FROM customers") {
			t.Fatal("not sent")
		}
		r.result([][]string{{"1", "219-09-8731"}}, []wire.Column{{Schema: "shop", OrgTable: "customers", OrgName: "id", Type: wire.TypeLong},
			{Schema: "shop", OrgTable: "customers", OrgName: "ssn", Type: wire.TypeVarString, Charset: 45}})
		if s := string(r.h.toClient); strings.Contains(s, "219") || !strings.Contains(s, "[redacted]") {
			t.Errorf("%q", s)
		}
		// The next command is judged only when this one is answered.
		r.h.toTarget, r.told = nil, 0
		r.query("SELECT 1")
		r.query("SELECT 2")
		if r.sent("SELECT 2") {
			t.Error("a command was sent ahead")
		}
		r.result([][]string{{"1"}}, nil)
		if !r.sent("SELECT 2") {
			t.Error("what waited was not sent")
		}
	}
}

// TestOriginOfTheTarget: a column that the statement's analysis takes for another is masked when the target says where it is from.
func TestOriginOfTheTarget(t *testing.T) {
	r := newRig(t, false)
	r.hello()
	r.query("SELECT id FROM orders")
	r.result([][]string{{"219-09-8731"}}, []wire.Column{{Schema: "shop", OrgTable: "customers", OrgName: "ssn", Type: wire.TypeVarString, Charset: 45}})
	if strings.Contains(string(r.h.toClient), "219-09") {
		t.Error("leak")
	}
}

// TestNobodyNoByte: without an identity no byte reaches a target.
func TestNobodyNoByte(t *testing.T) {
	r := newRig(t, true)
	r.hello()
	r.query("SELECT 1")
	if r.h.connects != 0 || len(r.h.toTarget) != 0 || !r.h.closed || !bytes.Contains(r.h.toClient, []byte("28000")) {
		t.Errorf("%d %q %v %q", r.h.connects, r.h.toTarget, r.h.closed, r.h.toClient)
	}
}

// TestFileOfTheClient: a target that asks for a file of the client's without a statement that sends one gets nothing.
func TestFileOfTheClient(t *testing.T) {
	r := newRig(t, false)
	r.hello()
	r.query("SELECT id FROM orders")
	r.h.toClient = nil
	r.up.OnData(packet(1, append([]byte{wire.HeadInfile}, "/etc/passwd"...)), false)
	if bytes.Contains(r.h.toClient, []byte("/etc/passwd")) || !r.h.closed {
		t.Errorf("%q", r.h.toClient)
	}
}

// TestRefusedCommands: each is answered with an error and the session goes on.
func TestRefusedCommands(t *testing.T) {
	for _, com := range []byte{0, wire.ComCreateDB, wire.ComDropDB, wire.ComRefresh, wire.ComShutdown, wire.ComProcessInfo, wire.ComDebug, wire.ComChangeUser,
		wire.ComBinlogDump, wire.ComTableDump, wire.ComRegisterSlave, wire.ComBinlogDumpGTID, 0x20, 0xfa, 0xfe, 0xff} {
		r := newRig(t, false)
		r.hello()
		r.h.toTarget, r.h.toClient, r.told = nil, nil, 0
		r.client(0, append([]byte{com}, "abc"...))
		if len(r.h.toTarget) != 0 || r.h.closed || !bytes.Contains(r.h.toClient, []byte("Unknown command")) || r.h.toClient[3] != 1 {
			t.Errorf("%#x: %q %q", com, r.h.toTarget, r.h.toClient)
		}
	}
}

// TestOwnQueryFails: one failure of a query of the gateway's own (a KILL QUERY that came late) is made good; when it fails again,
// names are not certain, and what needs them is refused.
func TestOwnQueryFails(t *testing.T) {
	for _, text := range append([]string{namesQuery, mysql.VersionQuery}, mysql.Queries...) {
		for times, sent := range []bool{true, true, false} {
			r := newRig(t, false)
			r.fail = map[string]int{text: times}
			r.hello()
			r.query("SELECT id FROM orders")
			if r.sent("SELECT id FROM orders") != sent || r.h.closed || r.fail[text] != 0 {
				t.Errorf("%.40s failed %d times: %q", text, times, r.h.toClient)
			}
		}
	}
}

// TestGoneWhileHeld: the hold of a client that is gone is withdrawn, and its statement never runs.
func TestGoneWhileHeld(t *testing.T) {
	r := newRig(t, false)
	r.hello()
	r.query("DELETE FROM orders WHERE id = 1")
	<-r.authz.asked
	if r.sent("DELETE") {
		t.Fatal("it ran")
	}
	r.down.OnData(nil, true)
	r.h.until(func() bool { return r.h.closed })
	if r.sent("DELETE") || !r.h.closed {
		t.Error("not withdrawn")
	}
}

// fakeSocket is an accepted socket.
type fakeSocket struct {
	out     []byte
	drained int
}

func (s *fakeSocket) Drain(n int) error    { s.drained += n; return nil }
func (s *fakeSocket) Write(b []byte) error { s.out = append(s.out, b...); return nil }
func (s *fakeSocket) Close()               {}
func (s *fakeSocket) ClientAddr() string   { return "127.0.0.1:1" }

func TestListener(t *testing.T) {
	m := New(newRig(t, false).module.rt)
	for _, tls := range []bool{false, true} {
		l := &listener{module: m, cfg: nodeconfig.Listener{TLS: tls, ServerVersion: "8.0.36"}}
		s := &fakeSocket{}
		if l.OnAccept(s) != filters.SocketNeedMore {
			t.Fatal("no greeting")
		}
		g, err := wire.DecodeGreeting(s.out[4:])
		if err != nil || g.Version != "8.0.36" || len(g.Nonce) != wire.NonceLen || (g.Caps&wire.CapSSL != 0) != tls || bytes.IndexByte(g.Nonce, 0) >= 0 {
			t.Errorf("%+v %v", g, err)
		}
		ask := packet(1, (&wire.Response{Caps: wire.CapSSL | wire.CapProtocol41}).AppendSSLRequest(nil))
		want := filters.SocketClose
		if tls {
			want = filters.SocketDone
		}
		if got := l.OnData(s, ask[:20]); got != filters.SocketNeedMore {
			t.Errorf("half a request: %v", got)
		}
		if got := l.OnData(s, ask); got != want || tls && s.drained != len(ask) {
			t.Errorf("TLS %v: %v, %d drained", tls, got, s.drained)
		}
	}
	l := &listener{module: m}
	if got := l.OnData(&fakeSocket{}, packet(1, make([]byte, 80))[:peek]); got != filters.SocketDone {
		t.Errorf("an answer without TLS: %v", got)
	}
}

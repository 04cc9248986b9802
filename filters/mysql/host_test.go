package mysql

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql/mysql"
	"dragoman.dev/dragoman/internal/ulid"
)

// fakeHost is a connection without any network: what is posted runs when the test says so.
type fakeHost struct {
	api.ConnectionCallback
	posts    chan func()
	toClient []byte
	toTarget []byte
	connects int
	closed   bool
	tls      bool
	up       fakeUp
	local    string
	routed   string
	info     fakeInfo
}

type fakeUp struct {
	api.ConnectionCallback
	h *fakeHost
}

func (u *fakeUp) Write(b []byte, _ bool) { u.h.toTarget = append(u.h.toTarget, b...) }

func (h *fakeHost) ID() uint64                       { return 1 }
func (h *fakeHost) Upstream() api.ConnectionCallback { h.up.h = h; return &h.up }
func (h *fakeHost) Connect()                         { h.connects++ }
func (h *fakeHost) Route(cluster string) error       { h.routed = cluster; return nil }
func (h *fakeHost) StreamInfo() api.StreamInfo       { return &h.info }
func (h *fakeHost) PauseReads(bool)                  {}
func (h *fakeHost) StartUpstreamTLS() error          { return nil }
func (h *fakeHost) TLS() filters.TLS                 { return filters.TLS{Active: h.tls} }
func (h *fakeHost) ClientAddr() string               { return "127.0.0.1:1" }
func (h *fakeHost) LocalAddr() string                { return h.local }
func (h *fakeHost) UpstreamAddr() string             { return "127.0.0.1:3" }
func (h *fakeHost) UpstreamCertSHA256() []byte       { return nil }
func (h *fakeHost) Write(b []byte, _ bool)           { h.toClient = append(h.toClient, b...) }
func (h *fakeHost) Close(api.ConnectionCloseType)    { h.closed = true }
func (h *fakeHost) Post(f func()) bool {
	select {
	case h.posts <- f:
		return true
	default:
		return false
	}
}

// drain runs what was posted.
func (h *fakeHost) drain() {
	for {
		select {
		case f := <-h.posts:
			f()
		default:
			return
		}
	}
}

// until drains until something is so.
func (h *fakeHost) until(so func() bool) {
	for range 5000 {
		if h.drain(); so() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// fakeAuthz lets everybody in, or nobody; a hold waits until it is withdrawn.
type fakeAuthz struct {
	deny  bool
	asked chan hold.Hold
}

func (a *fakeAuthz) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	if a.deny {
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnauthenticated, Message: "no"}
	}
	id := identity.New("user:alice@example.com", "agent:x")
	return check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: id, Target: policy.Target{Name: req.Target, Protocol: "mysql", Labels: map[string]string{}},
		Decision: policy.Decision{Verdict: policy.Allow, Rule: "open"}, Credentials: check.Credentials{User: "u", Password: "p"}, MaskKey: make([]byte, 32)}, nil
}

func (a *fakeAuthz) Hold(ctx context.Context, req check.HoldRequest) (check.HoldResponse, error) {
	a.asked <- req.Hold
	<-ctx.Done()
	return check.HoldResponse{State: hold.Withdrawn}, ctx.Err()
}

// rig is a filter between a client and a target that both are the test.
type rig struct {
	t      testing.TB
	h      *fakeHost
	authz  *fakeAuthz
	module *Module
	net    filters.Network
	down   api.DownstreamFilter
	up     api.UpstreamFilter
	caps   uint32
	told   int            // bytes of toTarget that were looked at
	fail   map[string]int // how often a query of the gateway's own fails
}

func newRig(t testing.TB, deny bool) *rig {
	spool, err := record.OpenSpool(t.TempDir(), record.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spool.Close)
	r := &rig{t: t, authz: &fakeAuthz{deny: deny, asked: make(chan hold.Hold, 1<<16)}, caps: wire.Offered}
	rt := session.New(session.Options{Node: "fake", Authorizer: r.authz, Spool: spool})
	src := policy.Source{Rules: []policy.Rule{
		{Name: "all", Verdict: "allow", When: policy.When{Verbs: []string{"select", "insert", "update", "create", "explain"}, Tables: []string{"*.*"}}},
		{Name: "held", Verdict: "hold", Approvers: []string{"dba"}, When: policy.When{Verbs: []string{"delete"}}}},
		Masks: []policy.MaskRule{{Name: "m", Columns: []string{"*.*.ssn"}}}}
	b, err := src.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(nodeconfig.Network{Target: policy.Target{Name: "t", Protocol: "mysql"}, Policy: b, Durability: "write", CancelCluster: "cancel", AllowCleartext: true, Comment: true})
	if err != nil {
		t.Fatal(err)
	}
	r.module = New(rt)
	if r.net, err = r.module.Kind().Configure(body); err != nil {
		t.Fatal(err)
	}
	r.connect()
	return r
}

// connect makes a new connection.
func (r *rig) connect() {
	r.h = &fakeHost{posts: make(chan func(), 1<<12), info: fakeInfo{set: fakeState{values: map[string]string{}}}}
	r.down, r.up = r.net.NewConn(r.h)
	r.told = 0
	r.down.OnNewConnection()
}

func packet(seq byte, body []byte) []byte {
	b, _ := wire.AppendPacket(nil, seq, body)
	return b
}

func (r *rig) client(seq byte, body []byte) {
	r.down.OnData(packet(seq, body), false)
	r.h.drain()
}

// hello logs the client in, and has the target let the gateway in.
func (r *rig) hello() {
	res := wire.Response{Caps: r.caps, Charset: 45, User: "agent", Auth: []byte("agent:x"), Plugin: wire.PluginClear}
	res.Caps &^= wire.CapConnectWithDB
	r.client(1, res.Append(nil))
	r.h.until(func() bool { return r.h.connects > 0 || r.h.closed })
	if r.authz.deny {
		return
	}
	g := wire.Greeting{Version: "10.11.19-MariaDB", Thread: 7, Nonce: nonce(), Caps: wire.Offered | wire.CapSSL, Charset: 45, Plugin: wire.PluginNative}
	r.up.OnData(packet(0, g.Append(nil)), false)
	r.up.OnData(packet(2, wire.AppendOK(nil, wire.OK{Status: wire.StatusAutocommit})), false)
	r.serve()
}

// serve answers the gateway's own queries.
func (r *rig) serve() {
	for range 100 {
		r.h.drain()
		if len(r.h.toTarget) <= r.told {
			return
		}
		rd := wire.Reader{Keep: 1 << 20, Max: 1 << 20}
		rd.Feed(r.h.toTarget[r.told:])
		r.told = len(r.h.toTarget)
		for {
			m, ok, err := rd.Next()
			if err != nil || !ok {
				break
			}
			if len(m.Body) > 0 && m.Body[0] == wire.ComQuery {
				if text := string(m.Body[1:]); r.fail[text] > 0 {
					r.fail[text]--
					r.up.OnData(packet(1, (&wire.Error{Number: 1317, State: "70100", Message: "Query execution was interrupted"}).Append(nil)), false)
				} else if rows := r.own(text); rows != nil {
					r.result(rows, nil)
				}
			}
		}
	}
}

// own are the rows that answer a query of the gateway's; nil for others.
func (r *rig) own(text string) [][]string {
	switch text {
	case namesQuery:
		return [][]string{{"shop", "", "utf8mb4", "utf8mb4", "utf8mb4"}}
	case mysql.VersionQuery:
		return [][]string{{"1"}}
	case mysql.Queries[0]:
		return [][]string{{"10.11.19-MariaDB", "0"}}
	case mysql.Queries[1]:
		return [][]string{{"shop", "customers", "id", ""}, {"shop", "customers", "ssn", ""}, {"shop", "orders", "id", ""}}
	case mysql.Queries[5]:
		return [][]string{{"shop"}}
	case mysql.Queries[2], mysql.Queries[3], mysql.Queries[4]:
		return [][]string{}
	}
	return nil
}

// result sends a result in the text format.
func (r *rig) result(rows [][]string, defs []wire.Column) {
	n := 1
	if len(rows) > 0 {
		n = len(rows[0])
	}
	b := answerOf(n, rows, defs, r.caps&wire.CapDeprecateEOF != 0)
	r.up.OnData(b, false)
	r.h.drain()
}

// answerOf is a result as a server sends it.
func answerOf(n int, rows [][]string, defs []wire.Column, deprecate bool) []byte {
	seq := byte(1)
	var out []byte
	add := func(body []byte) { out, seq = append(out, packet(seq, body)...), seq+1 }
	eof := func() { add([]byte{wire.HeadEOF, 0, 0, wire.StatusAutocommit, 0}) }
	add(wire.AppendLenenc(nil, uint64(n)))
	for i := range n {
		d := wire.Column{Name: "c", Type: wire.TypeVarString, Charset: 45}
		if i < len(defs) {
			d = defs[i]
		}
		add(definition(d))
	}
	if !deprecate {
		eof()
	}
	for _, row := range rows {
		var b []byte
		for _, v := range row {
			b = wire.AppendLenencString(b, v)
		}
		add(b)
	}
	if deprecate {
		ok := wire.AppendOK(nil, wire.OK{Status: wire.StatusAutocommit})
		ok[0] = wire.HeadEOF
		add(ok)
	} else {
		eof()
	}
	return out
}

func definition(d wire.Column) []byte {
	b := wire.AppendLenencString(nil, "def")
	for _, s := range []string{d.Schema, d.Table, d.OrgTable, d.Name, d.OrgName} {
		b = wire.AppendLenencString(b, s)
	}
	return append(b, 0x0c, byte(d.Charset), byte(d.Charset>>8), 0, 1, 0, 0, d.Type, byte(d.Flags), byte(d.Flags>>8), d.Decimals, 0, 0)
}

// query sends a statement, and has the gateway's own queries answered.
func (r *rig) query(text string) {
	r.client(0, append([]byte{wire.ComQuery}, text...))
	r.serve()
}

func (r *rig) sent(text string) bool { return strings.Contains(string(r.h.toTarget), text) }

package postgres

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// fuzzHost is a connection without any network: what is posted runs when the test says so.
type fuzzHost struct {
	api.ConnectionCallback
	posts    chan func()
	toClient []byte
	toTarget []byte
	connects int
	closed   bool
	up       fuzzUp
}

type fuzzUp struct {
	api.ConnectionCallback
	h *fuzzHost
}

func (u *fuzzUp) Write(b []byte, _ bool) { u.h.toTarget = append(u.h.toTarget, b...) }

func (h *fuzzHost) ID() uint64                       { return 1 }
func (h *fuzzHost) Upstream() api.ConnectionCallback { h.up.h = h; return &h.up }
func (h *fuzzHost) Connect()                         { h.connects++ }
func (h *fuzzHost) Route(string) error               { return nil }
func (h *fuzzHost) PauseReads(bool)                  {}
func (h *fuzzHost) StartUpstreamTLS() error          { return nil }
func (h *fuzzHost) TLS() filters.TLS                 { return filters.TLS{} }
func (h *fuzzHost) ClientAddr() string               { return "127.0.0.1:1" }
func (h *fuzzHost) LocalAddr() string                { return "127.0.0.1:2" }
func (h *fuzzHost) UpstreamAddr() string             { return "127.0.0.1:3" }
func (h *fuzzHost) UpstreamCertSHA256() []byte       { return nil }
func (h *fuzzHost) Write(b []byte, _ bool)           { h.toClient = append(h.toClient, b...) }
func (h *fuzzHost) Close(api.ConnectionCloseType)    { h.closed = true }
func (h *fuzzHost) Post(f func()) bool {
	select {
	case h.posts <- f:
		return true
	default:
		return false
	}
}

// drain runs what was posted; it waits for the first when something is under way.
func (h *fuzzHost) drain(wait bool) {
	for {
		select {
		case f := <-h.posts:
			f()
			wait = false
			continue
		default:
		}
		if !wait {
			return
		}
		select {
		case f := <-h.posts:
			f()
		case <-time.After(2 * time.Second):
		}
		wait = false
	}
}

func fuzzNetwork(f testing.TB, deny bool) filters.Network {
	spool, err := record.OpenSpool(f.TempDir(), record.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(spool.Close)
	var a check.Authorizer = &authz{holds: map[string]chan check.HoldResponse{}, asked: make(chan hold.Hold, 1<<16), creds: check.Credentials{User: "u", Password: "p"}}
	if deny {
		a = denies{}
	}
	rt := session.New(session.Options{Node: "fuzz", Authorizer: a, Spool: spool})
	src := policy.Source{Rules: []policy.Rule{{Name: "all", Verdict: "allow", When: policy.When{Verbs: []string{"select", "insert", "begin", "commit", "set", "create", "copy"}}}},
		Masks: []policy.MaskRule{{Name: "m", Columns: []string{"*.*.ssn"}}}}
	b, err := src.Bundle()
	if err != nil {
		f.Fatal(err)
	}
	body, err := json.Marshal(nodeconfig.Network{Target: policy.Target{Name: "t", Protocol: "postgres"}, Policy: b, Durability: "write", AllowCleartext: true, Comment: true})
	if err != nil {
		f.Fatal(err)
	}
	n, err := Kind(rt).Configure(body)
	if err != nil {
		f.Fatal(err)
	}
	return n
}

type denies struct{}

func (denies) Open(context.Context, check.OpenRequest) (check.OpenResponse, error) {
	return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnauthenticated, Message: "no"}
}

func (denies) Hold(context.Context, check.HoldRequest) (check.HoldResponse, error) {
	return check.HoldResponse{}, &check.Refusal{Code: check.CodeForbidden, Message: "no"}
}

// feed gives b in chunks.
func feed(b []byte, size uint8, f func([]byte)) {
	for len(b) > 0 {
		n := min(int(size)+1, len(b))
		f(append([]byte(nil), b[:n]...))
		b = b[n:]
	}
}

func password() []byte {
	b, _ := (&pgproto3.PasswordMessage{Password: "agent:bot"}).Encode(nil)
	return b
}

// FuzzStartup: whatever comes, not a byte reaches the target while nobody is authorised.
func FuzzStartup(f *testing.F) {
	n := fuzzNetwork(f, true)
	hello := wire.AppendStartup(nil, wire.Version30, "user", "u", "database", "d")
	f.Add(append(hello, password()...), uint8(3))
	f.Add(append(hello, password()...), uint8(255))
	f.Add(wire.AppendCancel(nil, 1, []byte{1, 2, 3, 4}), uint8(255))
	f.Add(append(wire.SSLRequest(), hello...), uint8(7))
	f.Add(wire.AppendStartup(nil, 3<<16|9, "user", "u", "_pq_.x", "1", "replication", "on"), uint8(255))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		h := &fuzzHost{posts: make(chan func(), 64)}
		down, _ := n.NewConn(h)
		down.OnNewConnection()
		feed(in, size, func(b []byte) {
			if !h.closed {
				down.OnData(b, false)
			}
		})
		c := down.(downstream).c
		h.drain(c.state == stAuthorizing)
		down.OnEvent(api.RemoteClose)
		h.drain(false)
		if len(h.toTarget) != 0 || h.connects != 0 {
			t.Fatalf("%d bytes, %d connections to the target", len(h.toTarget), h.connects)
		}
	})
}

// answers is what a server says to a login and to the gateway's first questions.
func loginAnswers(f testing.TB) []byte {
	var out []byte
	for _, m := range []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "15"},
		&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.ReadyForQuery{TxStatus: 'I'}} {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func jobAnswers(f testing.TB, value string) []byte {
	var out []byte
	for _, m := range []pgproto3.BackendMessage{&pgproto3.CloseComplete{}, &pgproto3.CloseComplete{}, &pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{[]byte(value)}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.CloseComplete{}, &pgproto3.CloseComplete{}, &pgproto3.ReadyForQuery{TxStatus: 'I'}} {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

const (
	someNames   = `{"user":"u","session_user":"u","path":["pg_catalog","public"],"temp":null,"strings":true,"client_encoding":"UTF8","server_encoding":"UTF8"}`
	someCatalog = "7\n" + `{"v":1,"path":["pg_catalog","public"],"schemas":["pg_catalog","public"],"rels":[],"builtins":[],"funcs":[],"types":[],"ops":[],"casts":[]}`
)

// ready gives a connection that has been told that it may begin.
func ready(t testing.TB, n filters.Network) (*fuzzHost, api.DownstreamFilter, api.UpstreamFilter) {
	h := &fuzzHost{posts: make(chan func(), 64)}
	down, up := n.NewConn(h)
	down.OnNewConnection()
	down.OnData(append(wire.AppendStartup(nil, wire.Version30, "user", "u", "database", "d"), password()...), false)
	h.drain(true)
	up.OnData(loginAnswers(t), false)
	c := down.(downstream).c
	for range 3 { // names, perhaps whether the catalog has changed, the catalog
		if c.relay.job == nil {
			break
		}
		value, query := "7", string(h.toTarget)
		switch {
		case strings.Contains(query, "pg_get_viewdef"):
			value = someCatalog
		case strings.Contains(query, "session_user"):
			value = someNames
		}
		h.toTarget = nil
		up.OnData(jobAnswers(t, value), false)
	}
	if c.state != stReady {
		t.Fatalf("state %d", c.state)
	}
	h.toClient, h.toTarget = nil, nil
	return h, down, up
}

func FuzzClientStream(f *testing.F) {
	n := fuzzNetwork(f, false)
	var all []byte
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Query{String: "select 1; begin"}, &pgproto3.Parse{Name: "s", Query: "select $1::int"},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", Parameters: [][]byte{[]byte("1")}}, &pgproto3.Describe{ObjectType: 'P', Name: "p"},
		&pgproto3.Execute{Portal: "p"}, &pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Sync{}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.CopyDone{},
		&pgproto3.FunctionCall{}, &pgproto3.Flush{}, &pgproto3.Terminate{}} {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(255))
		all = append(all, b...)
	}
	f.Add(all, uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		h, down, up := ready(t, n)
		feed(in, size, func(b []byte) {
			if !h.closed {
				down.OnData(b, false)
			}
		})
		h.drain(false)
		up.OnEvent(api.RemoteClose)
		down.OnEvent(api.RemoteClose)
	})
}

func FuzzServerStream(f *testing.F) {
	n := fuzzNetwork(f, false)
	var query, bind []byte
	for _, m := range []pgproto3.BackendMessage{&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: 25}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte("v")}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
		&pgproto3.NoticeResponse{Message: "n"}, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "22P02", Message: "m", Position: 3},
		&pgproto3.CopyOutResponse{}, &pgproto3.CopyData{Data: []byte("a\n")}, &pgproto3.CopyDone{}, &pgproto3.ReadyForQuery{TxStatus: 'T'}} {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(255), true)
		query = append(query, b...)
	}
	for _, m := range []pgproto3.BackendMessage{&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, &pgproto3.NoData{}, &pgproto3.PortalSuspended{}, &pgproto3.ReadyForQuery{TxStatus: 'E'}} {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		bind = append(bind, b...)
	}
	f.Add(query, uint8(9), true)
	f.Add(bind, uint8(2), false)
	f.Fuzz(func(t *testing.T, in []byte, size uint8, simple bool) {
		h, down, up := ready(t, n)
		if simple {
			down.OnData(wire.AppendQuery(nil, "", []byte("select 1")), false)
		} else {
			b := wire.AppendParse(nil, "s", "", []byte("select 1"), []byte{0, 0})
			b = wire.AppendNamed(wire.AppendBindPlain(b, "", "s"), wire.Describe, 'P', "")
			down.OnData(wire.AppendEmpty(wire.AppendExecute(b, ""), wire.Sync), false)
		}
		feed(in, size, func(b []byte) {
			if !h.closed {
				up.OnData(b, false)
			}
		})
		if !h.closed {
			down.OnData(wire.AppendQuery(nil, "", []byte("select 2")), false)
		}
		h.drain(false)
		down.OnEvent(api.RemoteClose)
	})
}

package mysql

import (
	"bytes"
	"strings"
	"testing"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// FuzzClient: whatever a client says, nothing panics, and nothing reaches the target before it is let in.
func FuzzClient(f *testing.F) {
	f.Add([]byte{4, 0, 0, 1, 1, 2, 3, 4})
	f.Add(packet(1, (&wire.Response{Caps: wire.Offered, Auth: []byte("agent:x"), Plugin: wire.PluginClear}).Append(nil)))
	f.Add(packet(0, append([]byte{wire.ComQuery}, "DELETE FROM orders"...)))
	f.Add(packet(0, []byte{wire.ComStmtExecute, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 0, 5, 0, 0, 0}))
	denied, allowed := newRig(f, true), newRig(f, false)
	f.Fuzz(func(t *testing.T, b []byte) {
		denied.connect()
		denied.down.OnData(b, false)
		denied.h.drain()
		if len(denied.h.toTarget) > 0 || denied.h.connects > 0 {
			t.Fatal("a byte reached the target")
		}
		allowed.connect()
		allowed.hello()
		allowed.down.OnData(append([]byte(nil), b...), false)
		allowed.serve()
		if deletes(t, allowed.h.toTarget) {
			t.Fatal("what is held reached the target")
		}
		allowed.down.OnData(nil, true)
		allowed.h.drain()
	})
}

// deletes reports whether a COM_QUERY among the commands has a statement that begins with DELETE.
func deletes(t *testing.T, sent []byte) bool {
	rd := wire.Reader{Keep: 1 << 24, Max: 1 << 30}
	for rd.Feed(sent); ; {
		m, ok, err := rd.Next()
		if err != nil || !ok {
			return false
		}
		if len(m.Body) == 0 || m.Body[0] != wire.ComQuery {
			continue
		}
		text, begins := string(m.Body[1:]), true
		tokens, err := mysql.Tokens(text, mysql.Mode{MariaDB: true, Version: 101119})
		if err != nil {
			t.Fatalf("%q was sent: %v", text, err)
		}
		for _, token := range tokens {
			word := text[token.Start:token.End]
			if begins && strings.EqualFold(word, "DELETE") {
				return true
			}
			begins = word == ";" || begins && token.Kind == mysql.TokenComment
		}
	}
}

// FuzzTarget: whatever a target says, nothing panics; a row of a masked column shows nothing, however it is cut.
func FuzzTarget(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 1}, uint8(3))
	f.Add(answerOf(1, [][]string{{"x"}}, nil, true), uint8(7))
	f.Add(packet(1, (&wire.Error{Number: 1062, Message: "Duplicate entry '219-09-8731'"}).Append(nil)), uint8(1))
	r := newRig(f, false)
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		r.connect()
		r.hello()
		r.query("SELECT ssn FROM customers")
		r.h.toClient = nil
		good := answerOf(1, [][]string{{"219-09-8731"}, {"219-09-8731"}}, []wire.Column{{Schema: "shop", OrgTable: "customers", OrgName: "ssn", Type: wire.TypeVarString, Charset: 45}}, true)
		for step := int(cut) + 1; len(good) > 0 && !r.h.closed; {
			n := min(step, len(good))
			part := append([]byte(nil), good[:n]...)
			r.up.OnData(part, false)
			clear(part) // borrowed bytes must not be used after the callback
			good = good[n:]
		}
		if bytes.Contains(r.h.toClient, []byte("219-09")) {
			t.Fatal("leak")
		}
		r.query("SELECT id FROM orders")
		r.up.OnData(append([]byte(nil), b...), false)
		r.h.drain()
		r.down.OnData(nil, true)
		r.h.drain()
	})
}

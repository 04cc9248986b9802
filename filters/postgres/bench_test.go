package postgres

import (
	"encoding/json"
	"fmt"
	"testing"

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

func benchNetwork(b *testing.B) filters.Network {
	spool, err := record.OpenSpool(b.TempDir(), record.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(spool.Close)
	a := &authz{holds: map[string]chan check.HoldResponse{}, asked: make(chan hold.Hold, 1), creds: check.Credentials{User: "u", Password: "p"}}
	src := policy.Source{Rules: []policy.Rule{{Name: "all", Verdict: "allow", When: policy.When{Verbs: []string{"select"}}, FeaturesAllowed: []string{"unresolved"}}},
		Masks: []policy.MaskRule{{Name: "m", Columns: []string{"*.*.ssn"}}}}
	bundle, err := src.Bundle()
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(nodeconfig.Network{Target: policy.Target{Name: "t", Protocol: "postgres"}, Policy: bundle, Durability: "write", AllowCleartext: true, Comment: true})
	if err != nil {
		b.Fatal(err)
	}
	n, err := Kind(session.New(session.Options{Node: "bench", Authorizer: a, Spool: spool})).Configure(body)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func encode(b *testing.B, list ...pgproto3.Message) []byte {
	var out []byte
	for _, m := range list {
		e, err := m.Encode(nil)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, e...)
	}
	return out
}

// BenchmarkPrepared is what `pgbench -S -M prepared` sends for a transaction, judged, masked and recorded.
func BenchmarkPrepared(b *testing.B) {
	h, down, up := ready(b, benchNetwork(b))
	fields := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("now"), DataTypeOID: 25}}}
	down.OnData(encode(b, &pgproto3.Parse{Name: "s", Query: "select $1::text"}, &pgproto3.Sync{}), false)
	c := down.(downstream).c
	if c.relay.job != nil { // a type is not in the bench's catalog, so it is read again
		up.OnData(jobAnswers(b, someCatalog), false)
	}
	up.OnData(encode(b, &pgproto3.ParseComplete{}, &pgproto3.ReadyForQuery{TxStatus: 'I'}), false)
	in := encode(b, &pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("123456")}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	tail := []pgproto3.Message{fields, &pgproto3.DataRow{Values: [][]byte{[]byte("value")}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}}
	out := encode(b, append([]pgproto3.Message{&pgproto3.BindComplete{}}, tail...)...)
	down.OnData(in, false)
	first := []pgproto3.Message{&pgproto3.BindComplete{}}
	if c.relay.queue.len() == 5 { // the first time the gateway asks for the columns itself
		first = append(first, fields)
	}
	up.OnData(encode(b, append(first, tail...)...), false)
	if c.relay.queue.len() != 0 || h.closed {
		b.Fatalf("%d answers are missing; %s", c.relay.queue.len(), h.toClient)
	}
	b.ReportAllocs()
	for b.Loop() {
		down.OnData(in, false)
		up.OnData(out, false)
		h.toClient, h.toTarget = h.toClient[:0], h.toTarget[:0]
	}
	if c.relay.queue.len() != 0 || h.closed {
		b.Fatal("answers are missing")
	}
}

// BenchmarkSimple is the same with simple queries of changing literals.
func BenchmarkSimple(b *testing.B) {
	h, down, up := ready(b, benchNetwork(b))
	out := encode(b, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("now"), DataTypeOID: 25}}}, &pgproto3.DataRow{Values: [][]byte{[]byte("value")}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		down.OnData(wire.AppendQuery(nil, "", fmt.Appendf(nil, "select 1 + %d", i)), false)
		up.OnData(out, false)
		h.toClient, h.toTarget = h.toClient[:0], h.toTarget[:0]
	}
	if down.(downstream).c.relay.queue.len() != 0 || h.closed {
		b.Fatal("answers are missing")
	}
}

// BenchmarkRows passes rows of a result without masked columns, and with one.
func BenchmarkRows(b *testing.B) {
	for _, name := range []string{"clean", "masked"} {
		b.Run(name, func(b *testing.B) {
			h, down, up := ready(b, benchNetwork(b))
			query := "select 'x', 'y'"
			down.OnData(wire.AppendQuery(nil, "", []byte(query)), false)
			head := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 25}, {Name: []byte("b"), DataTypeOID: 25}}}
			if name == "masked" { // a table that the catalog does not have: unknown, so redacted
				head.Fields[1].TableOID = 99999
			}
			up.OnData(encode(b, head), false)
			var chunk []byte
			row := encode(b, &pgproto3.DataRow{Values: [][]byte{[]byte("some value of a column"), []byte("another value, which is longer")}})
			n := 0
			for len(chunk)+len(row) < 64<<10 {
				chunk = append(chunk, row...)
				n++
			}
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				up.OnData(chunk, false)
				h.toClient = h.toClient[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			if h.closed {
				b.Fatal("closed")
			}
		})
	}
}

package mysql

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// benchTable are the columns of what the benchmarks read; ssn is masked.
var benchTable = []wire.Column{{Schema: "shop", Table: "customers", OrgTable: "customers", Name: "id", OrgName: "id", Type: wire.TypeLong, Charset: 63},
	{Schema: "shop", Table: "customers", OrgTable: "customers", Name: "ssn", OrgName: "ssn", Type: wire.TypeVarString, Charset: 45}}

// statement passes what a client and the target say to each other for one statement, over and over.
func (r *rig) statement(b *testing.B, in, out []byte) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r.down.OnData(in, false)
		r.up.OnData(out, false)
		r.h.drain()
		if len(r.h.toTarget) > 1<<20 || len(r.h.toClient) > 1<<20 {
			b.Fatal("more than was meant")
		}
		r.h.toClient, r.h.toTarget = r.h.toClient[:0], r.h.toTarget[:0]
	}
	if c := r.down.(downstream).c; c.run != nil || c.state != stReady {
		b.Fatal("answers are missing")
	}
}

func benchRig(b *testing.B) *rig {
	r := newRig(b, false)
	r.hello()
	r.h.toClient, r.h.toTarget, r.told = nil, nil, 0
	now := time.Now()
	r.down.(downstream).c.now = func() time.Time { return now } // the catalog stays as new as it is
	return r
}

func benchRows(n int) [][]string {
	var out [][]string
	for i := range n {
		out = append(out, []string{fmt.Sprint(i), fmt.Sprintf("219-09-%04d", i)})
	}
	return out
}

// BenchmarkQuery is one COM_QUERY and its answer, judged, masked and recorded.
func BenchmarkQuery(b *testing.B) {
	for _, n := range []int{1, 100} {
		for _, cols := range []string{"id", "id, ssn"} {
			b.Run(fmt.Sprintf("%d rows of %s", n, strings.ReplaceAll(cols, ", ", "+")), func(b *testing.B) {
				r := benchRig(b)
				rows, width := benchRows(n), strings.Count(cols, ",")+1
				for i := range rows {
					rows[i] = rows[i][:width]
				}
				in := packet(0, append([]byte{wire.ComQuery}, "SELECT "+cols+" FROM customers WHERE id < 1000"...))
				r.statement(b, in, answerOf(width, rows, benchTable, true))
			})
		}
	}
}

// BenchmarkLiterals is BenchmarkQuery with another number in each text.
func BenchmarkLiterals(b *testing.B) {
	r := benchRig(b)
	out := answerOf(1, benchRows(1)[:1], benchTable, true)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		r.down.OnData(packet(0, fmt.Appendf([]byte{wire.ComQuery}, "SELECT id FROM customers WHERE id = %d", i)), false)
		r.up.OnData(out, false)
		r.h.drain()
		r.h.toClient, r.h.toTarget = r.h.toClient[:0], r.h.toTarget[:0]
	}
}

// BenchmarkExecute is one COM_STMT_EXECUTE and its answer.
func BenchmarkExecute(b *testing.B) {
	r := benchRig(b)
	r.client(0, append([]byte{wire.ComStmtPrepare}, "SELECT id, ssn FROM customers WHERE id = ?"...))
	answer := packet(1, []byte{0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0})
	for i, d := range append([]wire.Column{{Name: "?", Type: wire.TypeVarString, Charset: 63}}, benchTable...) {
		answer = append(answer, packet(byte(2+i), definition(d))...)
	}
	r.up.OnData(answer, false)
	in := packet(0, append([]byte{wire.ComStmtExecute, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, wire.TypeLonglong, 0}, binary.LittleEndian.AppendUint64(nil, 4711)...))
	row := append([]byte{0, 0, 7, 0, 0, 0, 11}, "219-09-8731"...)
	out := packet(1, []byte{2})
	for i, d := range benchTable {
		out = append(out, packet(byte(2+i), definition(d))...)
	}
	out = append(out, packet(4, row)...)
	end := wire.AppendOK(nil, wire.OK{Status: wire.StatusAutocommit})
	end[0] = wire.HeadEOF
	r.statement(b, in, append(out, packet(5, end)...))
}

// BenchmarkRows passes the rows of one long result.
func BenchmarkRows(b *testing.B) {
	for _, cols := range []string{"id", "id, ssn"} {
		b.Run(strings.ReplaceAll(cols, ", ", "+"), func(b *testing.B) {
			r := benchRig(b)
			width := strings.Count(cols, ",") + 1
			r.client(0, append([]byte{wire.ComQuery}, "SELECT "+cols+" FROM customers"...))
			head := packet(1, []byte{byte(width)})
			for i := range width {
				head = append(head, packet(byte(2+i), definition(benchTable[i]))...)
			}
			r.up.OnData(head, false)
			row, chunk, n := wire.AppendLenencString(nil, "4711"), []byte(nil), 0
			if width == 2 {
				row = wire.AppendLenencString(row, "219-09-8731")
			}
			for len(chunk) < 64<<10 {
				chunk = append(chunk, packet(byte(n), row)...)
				n++
			}
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				r.up.OnData(chunk[:60000], false) // in the midst of a row
				r.up.OnData(chunk[60000:], false)
				r.h.toClient = r.h.toClient[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			if r.h.closed {
				b.Fatal("closed")
			}
		})
	}
}

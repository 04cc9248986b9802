package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	wire "dragoman.dev/dragoman/internal/mysqlwire"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// rawMySQL speaks the protocol itself, for commands that no driver sends.
type rawMySQL struct {
	t  testing.TB
	c  net.Conn
	rd wire.Reader
	id uint32 // of the greeting
}

// dialMySQL connects and reads the greeting.
func dialMySQL(t testing.TB, addr string) *rawMySQL {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &rawMySQL{t: t, c: c, rd: wire.Reader{Keep: 1 << 24, Max: 1 << 30}}
	g, err := wire.DecodeGreeting(r.next())
	if err != nil {
		t.Fatal(err)
	}
	r.id = g.Thread
	return r
}

func rawConnect(t testing.TB, p mysqlPlace, caps uint32) *rawMySQL {
	t.Helper()
	return rawConnectAs(t, p, caps, 45)
}

func (r *rawMySQL) send(seq byte, body []byte) {
	b, _ := wire.AppendPacket(nil, seq, body)
	if _, err := r.c.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// next is the next packet's payload, owned.
func (r *rawMySQL) next() []byte {
	r.t.Helper()
	r.c.SetReadDeadline(time.Now().Add(60 * time.Second))
	buf := make([]byte, 4096)
	for {
		m, ok, err := r.rd.Next()
		if err != nil {
			r.t.Fatal(err)
		}
		if ok {
			return append([]byte(nil), m.Body...)
		}
		n, err := r.c.Read(buf)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			r.t.Fatal(err)
		}
		r.rd.Keeps()
		r.rd.Feed(append([]byte(nil), buf[:n]...))
	}
}

// until collects packets up to an OK, EOF or ERR that ends an answer.
func (r *rawMySQL) until(ends func([]byte) bool) string {
	var all []string
	for range 1000 {
		b := r.next()
		all = append(all, string(b))
		if b == nil || ends(b) {
			break
		}
	}
	return strings.Join(all, "|")
}

func isRowsEnd(b []byte) bool { return b[0] == wire.HeadEOF || b[0] == wire.HeadErr }

// TestMySQLCommands sends the commands that drivers seldom send.
func TestMySQLCommands(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			g, s, port := mysqlGateway(t, kind)
			mysqlExec(t, mysqlRoot(t, s, "shop"), "CREATE TABLE loaded (a INT, b VARCHAR(20))")
			token := g.token("writers", "loaders")
			p := mysqlPlace{Port: port, Password: token, Database: "shop"}
			for _, caps := range []uint32{wire.Offered, wire.Offered &^ wire.CapDeprecateEOF} {
				r := rawConnect(t, p, caps)
				cursors(t, r)
				plainCommands(t, r)
				loadLocal(t, r)
			}
			killOwn(t, g, p)
		})
	}
}

func cursors(t *testing.T, r *rawMySQL) {
	r.send(0, append([]byte{wire.ComStmtPrepare}, "SELECT id, ssn, email FROM customers WHERE id > ?"...))
	head := r.next()
	ok, err := wire.DecodePrepared(head)
	if err != nil || ok.Columns != 3 || ok.Params != 1 {
		t.Fatalf("prepare: %q %v", head, err)
	}
	n := ok.Columns + ok.Params
	for range n {
		if b := r.next(); b[0] == wire.HeadEOF {
			r.next()
		}
	}
	// What is left of the definitions' ends is read with the next answer.
	exec := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtExecute}, ok.ID)
	exec = append(exec, 1, 1, 0, 0, 0, 0, 1, wire.TypeLonglong, 0) // a cursor for reading
	exec = binary.LittleEndian.AppendUint64(exec, 0)
	r.send(0, exec)
	time.Sleep(200 * time.Millisecond)
	fetch := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtFetch}, ok.ID)
	r.send(0, binary.LittleEndian.AppendUint32(fetch, 10))
	time.Sleep(200 * time.Millisecond)
	r.send(0, []byte{wire.ComPing})
	out := r.until(func(b []byte) bool { return len(b) >= 7 && len(b) < 12 && b[0] == wire.HeadOK })
	if !strings.Contains(out, "[redacted]") || !strings.Contains(out, "c***@example.com") || leak(out) != "" {
		t.Errorf("cursor: %q", out)
	}
	r.send(0, binary.LittleEndian.AppendUint32([]byte{wire.ComStmtReset}, ok.ID))
	if b := r.next(); b[0] != wire.HeadOK {
		t.Errorf("reset: %q", b)
	}
	r.send(0, binary.LittleEndian.AppendUint32([]byte{wire.ComStmtClose}, ok.ID))
	r.send(0, exec)
	if b := r.next(); b[0] != wire.HeadErr || !strings.Contains(string(b), "Unknown prepared statement") {
		t.Errorf("a closed statement ran: %q", b)
	}
}

func plainCommands(t *testing.T, r *rawMySQL) {
	for _, c := range []struct {
		body []byte
		want string
	}{
		{append([]byte{wire.ComInitDB}, "shop"...), "\x00"},
		{append([]byte{wire.ComInitDB}, "nosuch"...), "\xff"},
		{[]byte{wire.ComStatistics}, "Uptime"},
		{[]byte{wire.ComSetOption, 0, 0}, ""},
		{[]byte{wire.ComPing}, "\x00"},
		{append([]byte{wire.ComChangeUser}, "other\x00"...), "Unknown command"},
		{[]byte{wire.ComBinlogDump, 0, 0, 0, 0}, "replication is refused"},
		{[]byte{0x55}, "Unknown command"},
	} {
		r.send(0, c.body)
		if b := r.next(); !strings.Contains(string(b), c.want) {
			t.Errorf("command %#x: %q", c.body[0], b)
		}
	}
	r.send(0, append([]byte{wire.ComFieldList}, "orders\x00%"...))
	if out := r.until(isRowsEnd); !strings.Contains(out, "customer_id") {
		t.Errorf("field list: %q", out)
	}
	r.send(0, []byte{wire.ComResetConnection})
	if b := r.next(); b[0] != wire.HeadOK {
		t.Errorf("reset connection: %q", b)
	}
	r.send(0, append([]byte{wire.ComInitDB}, "shop"...))
	r.next()
}

// loadLocal sends a file of the client's for a statement that may.
func loadLocal(t *testing.T, r *rawMySQL) {
	r.send(0, append([]byte{wire.ComQuery}, "LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded FIELDS TERMINATED BY ','"...))
	b := r.next()
	if b[0] != wire.HeadInfile || !strings.Contains(string(b), "mine.txt") {
		t.Fatalf("no file is asked for: %q", b)
	}
	r.send(2, []byte("1,one\n2,two\n"))
	r.send(3, nil)
	if b := r.next(); b[0] != wire.HeadOK {
		t.Fatalf("load: %q", b)
	}
	r.send(0, append([]byte{wire.ComQuery}, "SELECT COUNT(*) FROM loaded WHERE b = 'two'"...))
	if out := r.until(isRowsEnd); strings.Contains(out, "\x010|") {
		t.Errorf("nothing was loaded: %q", out)
	}
	r.until(isEnd2(r))
}

// isEnd2 reads on when EOF came behind the columns, not behind the rows.
func isEnd2(r *rawMySQL) func([]byte) bool {
	r.send(0, []byte{wire.ComPing})
	return func(b []byte) bool { return b[0] == wire.HeadOK }
}

// killOwn ends a statement of one's own from another connection, by the number of the greeting and by the server's.
func killOwn(t *testing.T, g *gateway, p mysqlPlace) {
	for _, command := range []string{"query", "statement"} {
		r := rawConnect(t, p, wire.Offered)
		r.send(0, append([]byte{wire.ComQuery}, "SELECT SLEEP(300)"...))
		over := make(chan struct{})
		go func() {
			defer close(over)
			r.until(func(b []byte) bool { return b == nil || isRowsEnd(b) })
		}()
		k := rawConnect(t, p, wire.Offered)
		said := 0
		for began, done := time.Now(), false; !done; said++ { // a word that comes before the statement has begun hits nothing
			if time.Since(began) > time.Minute {
				t.Fatalf("%s goes on", command)
			}
			if command == "query" {
				k.send(0, append([]byte{wire.ComQuery}, fmt.Sprintf("KILL QUERY %d", r.id)...))
			} else {
				k.send(0, binary.LittleEndian.AppendUint32([]byte{wire.ComProcessKill}, r.id))
			}
			if b := k.next(); b[0] != wire.HeadOK && said == 0 { // later the session may be gone, and its end on its way
				t.Fatalf("kill: %q", b)
			}
			select {
			case <-over:
				done = true
			case <-time.After(300 * time.Millisecond):
			}
		}
		// Nobody ends the session of somebody else.
		other := rawConnect(t, mysqlPlace{Port: p.Port, Password: g.tokenFor("agent:other", "user:bob@example.com", "writers"), Database: "shop"}, wire.Offered)
		other.send(0, append([]byte{wire.ComQuery}, fmt.Sprintf("KILL QUERY %d", k.id)...))
		if b := other.next(); b[0] != wire.HeadErr {
			t.Errorf("another's session was killed: %q", b)
		}
	}
}

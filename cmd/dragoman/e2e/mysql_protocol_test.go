package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mysqlserver"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

const mysqlStored = `USE shop;
CREATE TABLE files (id INT PRIMARY KEY, a LONGTEXT, b LONGBLOB);
CREATE TABLE loaded (a INT, b VARCHAR(50));
CREATE PROCEDURE several(IN a INT, OUT b INT, INOUT c VARCHAR(20)) BEGIN SELECT a AS first; SELECT id, ssn, email FROM customers WHERE id = 1; SET b = a + 1; SET c = CONCAT(c, '!'); END;
CREATE PROCEDURE ansi() SET SESSION sql_mode = 'ANSI_QUOTES';
CREATE PROCEDURE stolen(OUT s VARCHAR(100)) SELECT CONCAT(ssn, email) INTO s FROM customers WHERE id = 1;
CREATE PROCEDURE failing() BEGIN DECLARE m VARCHAR(100); SELECT ssn INTO m FROM customers WHERE id = 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = m; END;
CREATE FUNCTION ansi_too() RETURNS INT NO SQL BEGIN SET SESSION sql_mode = 'ANSI_QUOTES'; RETURN 1; END;
`

const mysqlStoredRules = `rules:
  - name: loaders
    verdict: allow
    features_allowed: [client_file]
    when: {groups: [loaders], verbs: [load], tables: ["shop.loaded"]}
  - name: loads
    verdict: allow
    when: {groups: [callers], verbs: [load], tables: ["shop.loaded"]}
  - name: calls
    verdict: allow
    features_allowed: [opaque]
    when: {groups: [callers], verbs: [call, select, do, prepare, execute], functions: ["shop.*", "builtin.*"]}
  - name: work
    verdict: allow
    when: {groups: [callers], verbs: [select, insert, set, use, do], tables: ["*.*"]}
masks:
  - name: ssn
    columns: ["shop.customers.ssn", "shop.customers.card"]
    way: redact
    except_groups: [trusted]
  - name: email
    columns: ["shop.customers.email"]
    way: partial
    except_groups: [trusted]
`

// TestMySQLProtocol is what few clients do, against real servers: parameters in pieces, stored procedures, what a server sets for a
// session by itself, session tracking, compression that is asked for.
func TestMySQLProtocol(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser + "CREATE USER 'few'@'%' IDENTIFIED BY 'app-secret';\nGRANT SELECT, SHOW VIEW, EXECUTE ON *.* TO 'few'@'%';\n"})
			root := mysqlRoot(t, s, "")
			mysqlExec(t, root, "SET GLOBAL log_bin_trust_function_creators=1;"+mysqlShop+mysqlStored)
			port, few := freePort(t), freePort(t)
			g := newGateway(t, setup{
				Config: "targets:\n" + mysqlTarget("shop", port, s) + strings.Replace(mysqlTarget("few", few, s), "user: app", "user: few", 1) + "policy:\n  dir: policy\n",
				Files:  map[string]string{"shop-password": "app-secret\n", "few-password": "app-secret\n", "policy/rules.yaml": mysqlStoredRules},
			}).start()
			p := mysqlPlace{Port: port, Password: g.token("callers"), Database: "shop"}
			t.Run("long data", func(t *testing.T) { longData(t, g, p, root) })
			t.Run("local infile", func(t *testing.T) { loadRecorded(t, g, port) })
			t.Run("procedures", func(t *testing.T) {
				procedures(t, p, mysqlPlace{Port: port, Password: g.token("callers", "trusted"), Database: "shop"})
			})
			t.Run("reading", func(t *testing.T) { readingChanged(t, p, root, few) })
			t.Run("tracking", func(t *testing.T) { sessionTracking(t, p) })
			t.Run("compression", func(t *testing.T) { noCompression(t, p) })
			t.Run("dialog", func(t *testing.T) {
				if out := p.cli(t, "SELECT 40+2;\n", "--default-auth=dialog", "--skip-ssl", "--plugin-dir=/usr/lib/x86_64-linux-gnu/libmariadb3/plugin"); !strings.Contains(out, "42") {
					t.Error(out)
				}
				bad := p
				bad.Password = "wrong"
				if out := bad.cli(t, "SELECT 40+2;\n", "--default-auth=dialog", "--skip-ssl"); !strings.Contains(out, "ERROR 1045") {
					t.Error(out)
				}
			})
		})
	}
}

// prepare prepares a statement and reads the answer to its end.
func (r *rawMySQL) prepare(text string) wire.Prepared {
	r.t.Helper()
	r.send(0, append([]byte{wire.ComStmtPrepare}, text...))
	head := r.next()
	ok, err := wire.DecodePrepared(head)
	if err != nil {
		r.t.Fatalf("prepare: %q", head)
	}
	for range ok.Params + ok.Columns {
		r.next()
	}
	return ok
}

func (r *rawMySQL) longData(id uint32, param uint16, data []byte) {
	b := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtLongData}, id)
	r.send(0, append(binary.LittleEndian.AppendUint16(b, param), data...))
}

// longData sends two parameters in many pieces that alternate, forgets them, sends others, of which one has a piece of more than a
// packet, and looks at what the server and the record have.
func longData(t *testing.T, g *gateway, p mysqlPlace, root *sql.DB) {
	r := rawConnect(t, p, wire.Offered)
	st := r.prepare("INSERT INTO files VALUES (?, ?, ?)")
	reset := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtReset}, st.ID)
	pieces := func(id int, a, b []byte) {
		for len(a)+len(b) > 0 {
			n, m := min(len(a), 50<<10), min(len(b), 70<<10)
			r.longData(st.ID, 1, a[:n])
			r.longData(st.ID, 2, b[:m])
			a, b = a[n:], b[m:]
		}
		exec := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtExecute}, st.ID)
		exec = append(exec, 0, 1, 0, 0, 0, 0, 1, wire.TypeLonglong, 0, wire.TypeString, 0, wire.TypeBlob, 0)
		r.send(0, binary.LittleEndian.AppendUint64(exec, uint64(id)))
		if b := r.next(); b[0] != wire.HeadOK {
			t.Fatalf("execute: %q", b)
		}
	}
	a, b := bytes.Repeat([]byte("long text é "), 40000), bytes.Repeat([]byte{0, 0xff, 7}, 300000)
	pieces(1, a, b)
	r.longData(st.ID, 1, []byte("forgotten"))
	r.send(0, reset)
	if b := r.next(); b[0] != wire.HeadOK {
		t.Fatalf("reset: %q", b)
	}
	pieces(2, []byte("short"), []byte{1})
	big := bytes.Repeat([]byte("0123456789abcdef"), (17<<20)/16)
	r.longData(st.ID, 2, big)
	pieces(3, []byte("beside"), nil)
	for id, want := range map[int][2][]byte{1: {a, b}, 2: {[]byte("short"), {1}}, 3: {[]byte("beside"), big}} {
		var x, y []byte
		if err := root.QueryRow("SELECT a, b FROM shop.files WHERE id = ?", id).Scan(&x, &y); err != nil || !bytes.Equal(x, want[0]) || !bytes.Equal(y, want[1]) {
			t.Errorf("%d: %v, %d and %d bytes", id, err, len(x), len(y))
		}
	}
	longDataRecorded(t, g, map[string][2][]byte{"1": {a, b}, "2": {[]byte("short"), {1}}, "3": {[]byte("beside"), big}})
	// For a statement that is not there nothing is kept, and nothing is said.
	r.longData(st.ID+100, 0, []byte("x"))
	r.send(0, []byte{wire.ComPing})
	if b := r.next(); b[0] != wire.HeadOK {
		t.Errorf("ping: %q", b)
	}
}

// procedures: of what a procedure returns nobody knows where it comes from, so it is refused to those for whom columns are masked.
// Others get several results and OUT parameters, as text and in the binary format.
func procedures(t *testing.T, masked, p mysqlPlace) {
	const calls = "SET @c = 'x';\nCALL several(5, @b, @c);\nSELECT 'then', @b, @c;\nCALL failing();\nSELECT 'goes', 'on';\n"
	out := masked.cli(t, calls+"CALL stolen(@s);\nSELECT @s;\n")
	if l := leak(answersOnly(out)); l != "" || strings.Count(out, "rule: unresolved-masked") != 3 || !strings.Contains(out, "goes\ton") {
		t.Errorf("%s: %s", l, out)
	}
	if out := p.cli(t, calls); !strings.Contains(out, "1\t219-09-8731\tcanaryperson@example.com") || !strings.Contains(out, "then\t6\tx!") ||
		!strings.Contains(out, "ERROR 1644 (45000)") || !strings.Contains(out, "goes\ton") {
		t.Error(out)
	}
	for _, caps := range []uint32{wire.Offered, wire.Offered &^ wire.CapDeprecateEOF} {
		r := rawConnect(t, p, caps)
		r.send(0, append([]byte{wire.ComStmtPrepare}, "CALL several(?, ?, ?)"...))
		head := r.next()
		ok, err := wire.DecodePrepared(head)
		if err != nil || ok.Params != 3 {
			t.Fatalf("%+v %v %q", ok, err, head)
		}
		ends := ok.Params
		if caps&wire.CapDeprecateEOF == 0 {
			ends++
		}
		for range ends {
			r.next()
		}
		exec := binary.LittleEndian.AppendUint32([]byte{wire.ComStmtExecute}, ok.ID)
		exec = append(exec, 0, 1, 0, 0, 0, 0, 1, wire.TypeLonglong, 0, wire.TypeLonglong, 0, wire.TypeString, 0)
		exec = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(exec, 5), 0)
		r.send(0, append(exec, 1, 'x'))
		heads, outs, values := 0, false, ""
		// Two results and the OUT parameters, each with its rows' end, and an OK.
		for more := true; more; {
			head := r.next()
			if head[0] == wire.HeadOK {
				ok, err := wire.DecodeOK(head)
				if more = ok.Status&wire.StatusMoreResults != 0; err != nil {
					t.Fatalf("%q", head)
				}
				continue
			}
			heads++
			for range head[0] {
				r.next()
			}
			if caps&wire.CapDeprecateEOF == 0 { // MySQL says it here only
				end, err := wire.DecodeEOF(r.next())
				outs = outs || err == nil && end.Status&wire.StatusOutParams != 0
			}
			for {
				b := r.next()
				if b[0] == wire.HeadEOF {
					end, err := wire.DecodeEOF(b)
					if caps&wire.CapDeprecateEOF != 0 {
						end, err = wire.DecodeOK(b)
					}
					if err != nil {
						t.Fatalf("%q", b)
					}
					outs = outs || end.Status&wire.StatusOutParams != 0
					break
				}
				values += string(b)
			}
		}
		if heads != 3 || !outs || !strings.Contains(values, "canaryperson@example.com") || !strings.Contains(values, "\x02x!") {
			t.Errorf("%d results, OUT parameters %v: %q", heads, outs, values)
		}
		r.send(0, []byte{wire.ComPing})
		if b := r.next(); b[0] != wire.HeadOK {
			t.Errorf("ping: %q", b)
		}
	}
}

// readingChanged: what a procedure, a function, a server or a client's first packet sets for the session is how the next text is read.
func readingChanged(t *testing.T, p mysqlPlace, root *sql.DB, few int) {
	const probe = `SELECT id, 'hit' FROM customers WHERE "ssn" LIKE '2%'`
	for _, before := range []string{"CALL ansi();", "SELECT ansi_too();", "DO ansi_too();"} {
		for _, script := range []string{before + "\n" + probe + ";\n", "DELIMITER $$\n" + before + " " + probe + "$$\n"} {
			if out := answersOnly(p.cli(t, script, "--silent")); strings.Contains(out, "hit") {
				t.Errorf("%s told: %s", script, out)
			}
		}
	}
	mysqlExec(t, root, "SET GLOBAL init_connect = \"SET sql_mode='ANSI_QUOTES'\"")
	defer mysqlExec(t, root, "SET GLOBAL init_connect = ''")
	other := p
	other.Port = few
	if out := other.cli(t, "SELECT CONCAT('ansi ', @@sql_mode LIKE '%ANSI%');\n"+probe+";\nSELECT \"ssn\" FROM customers;\n", "--silent"); !strings.Contains(out, "ansi 1") ||
		strings.Contains(answersOnly(out), "hit") || leak(answersOnly(out)) != "" || !strings.Contains(out, "masked-predicate") || !strings.Contains(out, "[redacted]") {
		t.Errorf("init_connect: %s", out)
	}
	// A client's character set is one whose bytes we read as the server does.
	for _, collation := range []byte{1, 13, 28, 35, 54, 84, 95, 96, 97, 248, 255} { // big5, sjis, gbk, ucs2, utf16, big5, cp932, …
		c := rawConnectAs(t, p, wire.Offered, collation)
		c.send(0, append([]byte{wire.ComQuery}, "SELECT '\xbf\\' , id FROM customers WHERE ssn LIKE 0x3225 -- '"...))
		if b := c.next(); b[0] != wire.HeadErr || !strings.Contains(string(b), "refused by policy") {
			t.Errorf("collation %d: %q", collation, b)
		}
	}
}

// sessionTracking: what the server tells of the session's state is passed on.
func sessionTracking(t *testing.T, p mysqlPlace) {
	r := rawConnect(t, p, wire.Offered)
	for _, text := range []string{"SET SESSION session_track_schema = ON", "USE shop"} {
		r.send(0, append([]byte{wire.ComQuery}, text...))
		b := r.next()
		ok, err := wire.DecodeOK(b)
		if err != nil {
			t.Fatalf("%s: %q", text, b)
		}
		if text == "USE shop" && (ok.Status&wire.StatusSessionChange == 0 || !bytes.Contains(ok.Info, []byte("\x04shop"))) {
			t.Errorf("no word of the new database: %q", b)
		}
	}
	r = rawConnect(t, p, wire.Offered&^wire.CapSessionTrack)
	r.send(0, append([]byte{wire.ComQuery}, "USE shop"...))
	if ok, err := wire.DecodeOK(r.next()); err != nil || len(ok.Info) != 0 {
		t.Errorf("a client that did not ask is told: %q %v", ok.Info, err)
	}
}

// noCompression: a client that would compress is told that it cannot, and one that asks in spite of it is served without.
func noCompression(t *testing.T, p mysqlPlace) {
	if out := p.cli(t, "SELECT REPEAT('x', 5000) LIKE 'xx%' AS plain;\n", "--compress"); !strings.Contains(out, "plain\n1") {
		t.Errorf("mariadb --compress: %s", out)
	}
	db := p.connect(t, "compress=true")
	var n int
	if err := db.QueryRowContext(context.Background(), "SELECT 7").Scan(&n); err != nil || n != 7 {
		t.Errorf("compress=true: %v", err)
	}
	const zstd = 1 << 26 // CLIENT_ZSTD_COMPRESSION_ALGORITHM
	r := rawConnect(t, p, wire.Offered|wire.CapCompress|zstd)
	r.send(0, append([]byte{wire.ComQuery}, "SELECT 'as it is'"...))
	if out := r.until(isRowsEnd); !strings.Contains(out, "as it is") {
		t.Errorf("%q", out)
	}
}

// rawConnectAs is rawConnect with a collation.
func rawConnectAs(t testing.TB, p mysqlPlace, caps uint32, collation byte) *rawMySQL {
	t.Helper()
	r := dialMySQL(t, fmt.Sprintf("127.0.0.1:%d", p.Port))
	res := wire.Response{Caps: caps, Charset: collation, User: "agent", Database: p.Database, Auth: []byte(p.Password + "\x00"), Plugin: wire.PluginClear}
	r.send(1, res.Append(nil))
	if b := r.next(); b[0] != wire.HeadOK {
		t.Fatalf("login: %q", b)
	}
	return r
}

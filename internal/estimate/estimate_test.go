package estimate

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	driverMySQL "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/pgserver"
)

// act is an action on resolved tables, "schema.name" each.
func act(text string, verbs []string, reads, writes []string, params ...string) action.Action {
	a := action.Action{Kind: action.KindSQL, Verbs: verbs, Text: text, Features: map[string]any{}}
	objects := func(list []string) (out []action.Object) {
		for _, n := range list {
			schema, name, _ := strings.Cut(n, ".")
			out = append(out, action.Object{Schema: schema, Name: name, Resolved: true})
		}
		return out
	}
	a.Reads, a.Writes = objects(reads), objects(writes)
	for _, p := range params {
		a.Params = append(a.Params, action.Param{Value: p})
	}
	return a
}

func TestFits(t *testing.T) {
	good := act("DELETE FROM t", []string{"delete"}, nil, []string{"public.t"})
	if err := fits(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*action.Action){
		"not SQL":           func(a *action.Action) { a.Kind = action.KindHTTP },
		"no verb":           func(a *action.Action) { a.Verbs = nil },
		"another verb":      func(a *action.Action) { a.Verbs = []string{"delete", "call"} },
		"unparsed":          func(a *action.Action) { a.Features[action.FeatureUnparsed] = true },
		"one of several":    func(a *action.Action) { a.Features[action.FeatureMulti] = 2 },
		"an opaque feature": func(a *action.Action) { a.Features[action.FeatureOpaque] = true },
		"an opaque call":    func(a *action.Action) { a.Functions = []action.Function{{Name: "f", Opaque: true}} },
		"waiting":           func(a *action.Action) { a.Functions = []action.Function{{Name: "Sleep"}} },
		"not resolved":      func(a *action.Action) { a.Writes[0].Resolved = false },
		"bytes":             func(a *action.Action) { a.Params = []action.Param{{Encoding: "base64"}} },
		"too long":          func(a *action.Action) { a.Text = strings.Repeat("x", maxText+1) },
	} {
		bad := act("DELETE FROM t", []string{"delete"}, nil, []string{"public.t"})
		change(&bad)
		if err := fits(&bad); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Postgres(t.Context(), Request{Action: bad}, time.Now()); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s, PostgreSQL: %v", name, err)
		}
		if _, err := MySQL(t.Context(), Request{Action: bad}, time.Now()); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s, MySQL: %v", name, err)
		}
	}
}

// patiently asks again for a while: on a machine that has much to do a question may take too long.
func patiently(about func(action.Action) (*hold.Estimate, error), a action.Action) (e *hold.Estimate, err error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if e, err = about(a); err == nil || time.Now().After(end) {
			return e, err
		}
	}
}

type ask struct {
	name string
	a    action.Action
	want string // of the estimate in words
}

// TestPostgres asks real servers, the oldest and the newest.
func TestPostgres(t *testing.T) {
	for _, v := range []string{pgserver.V15, pgserver.Newest} {
		t.Run(v, func(t *testing.T) { testPostgres(t, v) })
	}
}

const postgresTables = `
CREATE TABLE orders (id int PRIMARY KEY, state text, n int); INSERT INTO orders SELECT g, 'new', g FROM generate_series(1, 1000) g;
CREATE TABLE log (id int) PARTITION BY RANGE (id); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (1000); INSERT INTO log SELECT generate_series(1, 100);
CREATE SCHEMA app; CREATE TABLE app.orders (id int); INSERT INTO app.orders SELECT generate_series(1, 10);
CREATE SEQUENCE seen;
CREATE FUNCTION spy(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('seen'); RETURN $1; END $$;
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN $1; END $$;
CREATE VIEW planted AS SELECT * FROM orders WHERE id = spy(1); CREATE VIEW sleeping AS SELECT * FROM orders WHERE id = slow(1);
ANALYZE;`

func testPostgres(t *testing.T, version string) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	home, err := pgserver.Ensure(ctx, "../../.tools", version)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(ctx, pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	db, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, postgresTables, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	about := func(a action.Action) (*hold.Estimate, error) {
		dead, err := net.Listen("tcp", "127.0.0.1:0") // an address at which nobody answers comes first
		if err != nil {
			t.Fatal(err)
		}
		dead.Close()
		return Postgres(ctx, Request{Action: a, Addresses: []string{dead.Addr().String(), s.Addr()}, User: s.User, Password: s.Password, Database: "postgres"}, time.Now())
	}
	for _, c := range []ask{
		{"all rows", act("DELETE FROM orders", []string{"delete"}, nil, []string{"public.orders"}), "deletes about 1,000 rows; reads public.orders as a whole (about 1,000 rows of about 1,000)"},
		{"one row", act("UPDATE orders SET n = n + 1 WHERE id = $1", []string{"update"}, []string{"public.orders"}, []string{"public.orders"}, "7"), "changes about 1 row; reads public.orders by index orders_pkey (about 1 row of about 1,000)"},
		{"another schema's", act("DELETE FROM orders", []string{"delete"}, nil, []string{"app.orders"}), "deletes about 10 rows; reads app.orders as a whole (about 10 rows of about 10)"},
		{"partitions", act("DELETE FROM log", []string{"delete"}, nil, []string{"public.log"}), "deletes about 100 rows; reads public.log_1 as a whole (about 100 rows of about 100)"},
		{"new rows", act("INSERT INTO log SELECT id FROM orders", []string{"insert"}, []string{"public.orders"}, []string{"public.log"}), "adds about 1,000 rows; reads public.orders as a whole (about 1,000 rows of about 1,000)"},
		{"a CTE that deletes", act("WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone", []string{"delete", "select"}, []string{"public.orders"}, []string{"public.orders"}), "deletes about 1,000 rows"},
	} {
		e, err := patiently(about, c.a)
		if err != nil || !strings.HasPrefix(e.String(), c.want) || e.Cost <= 0 {
			t.Errorf("%s: %v, %+v", c.name, err, e)
		}
	}
	for name, a := range map[string]action.Action{
		"two statements":       act("SELECT 1; DROP TABLE orders", []string{"select"}, nil, nil),
		"an EXPLAIN":           act("EXPLAIN ANALYZE DELETE FROM orders", []string{"delete"}, nil, nil),
		"a new table":          act("SELECT * INTO copied FROM orders", []string{"select"}, nil, nil),
		"another meaning":      act("DELETE FROM orders", []string{"delete"}, nil, []string{"public.log", "app.nothing"}),
		"no such table":        act("DELETE FROM nothing", []string{"delete"}, nil, []string{"public.nothing"}),
		"a planted function":   act("SELECT * FROM planted", []string{"select"}, []string{"public.planted", "public.orders"}, nil),
		"one that takes long":  act("SELECT * FROM sleeping", []string{"select"}, []string{"public.sleeping", "public.orders"}, nil),
		"too few parameters":   act("DELETE FROM orders WHERE id = $2", []string{"delete"}, nil, []string{"public.orders"}, "1"),
		"a parameter no value": act("DELETE FROM orders WHERE id = $1", []string{"delete"}, nil, []string{"public.orders"}, "x"),
	} {
		if e, err := about(a); err == nil {
			t.Errorf("%s: %v", name, e)
		}
	}
	var orders, called int
	if err := db.QueryRow(ctx, "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM seen WHERE is_called)").Scan(&orders, &called); err != nil || orders != 1000 || called != 0 {
		t.Errorf("there are %d orders, and the planted function wrote: %d; %v", orders, called, err)
	}
	// What another transaction has locked is not waited for.
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "LOCK TABLE orders"); err != nil {
		t.Fatal(err)
	}
	if e, err := about(act("DELETE FROM orders", []string{"delete"}, nil, []string{"public.orders"})); err == nil || !strings.Contains(err.Error(), "55P03") {
		t.Errorf("a locked table: %v, %v", e, err)
	}
}

// TestMySQL asks a real MariaDB and a real MySQL.
func TestMySQL(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) { testMySQL(t, kind) })
	}
}

var mysqlTables = []string{"CREATE DATABASE shop", "CREATE TABLE shop.orders (id int PRIMARY KEY, state varchar(10), n int)", "CREATE TABLE shop.seen (id int) ENGINE=MyISAM", "CREATE TABLE shop.kept (id int)",
	"INSERT INTO shop.orders WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 500) SELECT n, 'new', n FROM g", "ANALYZE TABLE shop.orders",
	"CREATE FUNCTION shop.spy() RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO shop.seen VALUES (1); RETURN 1; END",
	"CREATE VIEW shop.planted AS SELECT shop.spy() AS x"}

func testMySQL(t *testing.T, kind mysqlserver.Kind) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	home, err := mysqlserver.Ensure(ctx, "../../.tools", kind)
	if err != nil {
		t.Fatal(err)
	}
	s, err := mysqlserver.Start(ctx, mysqlserver.Options{Kind: kind, Home: home, SQL: "CREATE USER 'app'@'%' IDENTIFIED BY 'app';\nGRANT ALL ON *.* TO 'app'@'%';\n", Args: []string{"--log-bin-trust-function-creators=1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	c := driverMySQL.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = "app", "app", "tcp", s.Addr()
	connector, err := driverMySQL.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, do := range mysqlTables {
		if _, err := db.ExecContext(ctx, do); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	about := func(a action.Action) (*hold.Estimate, error) {
		return MySQL(ctx, Request{Action: a, Addresses: []string{s.Addr()}, User: "app", Password: "app", Database: "mysql"}, time.Now())
	}
	for _, c := range []ask{
		{"one row", act("UPDATE orders SET n = n + 1 WHERE id = ? -- x", []string{"update"}, []string{"shop.orders"}, []string{"shop.orders"}, "7"), "changes about 1 row; reads shop.orders by"},
		{"all rows", act("DELETE FROM shop.orders;", []string{"delete"}, nil, []string{"shop.orders"}), "deletes about"},
		{"all rows that are read", act("SELECT * FROM orders o", []string{"select"}, []string{"shop.orders"}, nil), "returns about"},
		{"copied rows", act("REPLACE INTO seen SELECT id FROM orders", []string{"replace"}, []string{"shop.orders"}, []string{"shop.seen"}), "puts in about"},
	} {
		e, err := patiently(about, c.a)
		if err != nil || !strings.HasPrefix(e.String(), c.want) {
			t.Errorf("%s: %v, %+v", c.name, err, e)
		} else {
			t.Log(c.name, e)
		}
	}
	for name, a := range map[string]action.Action{
		"two statements":       act("SELECT 1; DELETE FROM shop.orders", []string{"select"}, nil, nil),
		"code in a comment":    act("/*!50000 ANALYZE */ SELECT 1", []string{"select"}, nil, nil),
		"an EXPLAIN":           act("ANALYZE SELECT 1", []string{"select"}, nil, nil),
		"no such table":        act("DELETE FROM nothing", []string{"delete"}, nil, []string{"shop.nothing"}),
		"names of two schemas": act("DELETE FROM orders", []string{"delete"}, []string{"a.b"}, []string{"shop.orders"}),
	} {
		if e, err := about(a); err == nil {
			t.Errorf("%s: %v", name, e)
		}
	}
	for name, a := range map[string]action.Action{
		"a view of what it writes": act("REPLACE INTO kept SELECT x FROM planted", []string{"replace"}, []string{"shop.planted"}, []string{"shop.kept"}),
		"a view to write through":  act("UPDATE planted SET x = 1", []string{"update"}, []string{"shop.planted"}, []string{"shop.planted"}),
	} {
		if e, err := about(a); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	t.Run("mode", func(t *testing.T) { sqlMode(t, ctx, s.Addr()) })
	t.Run("end", func(t *testing.T) { endOf(t, ctx, s.Addr()) })
	_, _ = about(act("SELECT * FROM (SELECT x FROM planted) a", []string{"select"}, []string{"shop.planted"}, nil))
	var orders, seen int
	if err := db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM shop.orders), (SELECT count(*) FROM shop.seen)").Scan(&orders, &seen); err != nil || orders != 500 || seen != 0 {
		t.Errorf("there are %d orders, and the planted function wrote: %d; %v", orders, seen, err)
	}
}

// sqlMode: a text is read as the session reads it, and nothing but a mode is one.
func sqlMode(t *testing.T, ctx context.Context, addr string) {
	quoted := act(`SELECT * FROM "orders" WHERE "state" = 'new'`, []string{"select"}, []string{"shop.orders"}, nil)
	for mode, want := range map[string]bool{"": false, "ANSI_QUOTES": true, "STRICT_TRANS_TABLES,ANSI_QUOTES": true, "ANSI_QUOTES'; DROP TABLE shop.kept; --": false, "ansi_quotes": false, "NO_SUCH_MODE": false} {
		e, err := MySQL(ctx, Request{Action: quoted, Addresses: []string{addr}, User: "app", Password: "app", Database: "shop", SQLMode: &mode}, time.Now())
		if (err == nil) != want {
			t.Errorf("in the mode %q: %v, %v", mode, e, err)
		}
	}
}

// endOf: a connection of ours that goes on without us is ended, and one that does something else by now is not.
func endOf(t *testing.T, ctx context.Context, addr string) {
	r := Request{Addresses: []string{addr}, User: "app", Password: "app"}
	db, err := mysqlPool(r, addr, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var id int64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	goes, stop := context.WithCancel(ctx)
	var n int
	done := make(chan error, 1)
	go func() { done <- conn.QueryRowContext(goes, "SELECT SLEEP(600)").Scan(&n) }()
	sleeps := func() (n int) {
		q, err := mysqlPool(r, addr, "")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if err := q.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for sleeps() == 0 {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	stop()
	if err := <-done; err == nil {
		t.Error("it came to its end")
	}
	if err := endAt(ctx, r, addr, id, "EXPLAIN"); err != nil || sleeps() != 1 {
		t.Errorf("what does something else: %v", err)
	}
	if err := endAt(ctx, r, addr, id, "SELECT SLEEP"); err != nil {
		t.Error(err)
	}
	for sleeps() != 0 {
		if ctx.Err() != nil {
			t.Fatal("the server goes on")
		}
	}
}

// TestBounded: a target that sends without end is not listened to for long.
func TestBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for { // PostgreSQL's NoticeResponse, of a length of a MiB
					if _, err := c.Write(append([]byte{'N', 0, 0x10, 0, 4}, make([]byte, 1<<20)...)); err != nil {
						return
					}
				}
			}()
		}
	}()
	if e, err := Postgres(t.Context(), Request{Action: act("SELECT 1", []string{"select"}, nil, nil), Addresses: []string{l.Addr().String()}, User: "u"}, time.Now()); err == nil {
		t.Error(e)
	}
}

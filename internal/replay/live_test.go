package replay

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/record"
)

// tee keeps what a connection reads and writes.
type tee struct {
	net.Conn
	mu  sync.Mutex
	on  bool
	log *list
}

func (c *tee) keep(kind record.Kind, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on && len(b) > 0 {
		c.log.add(kind, 1, bytes.Clone(b))
	}
}

func (c *tee) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.keep(record.KindResponse, b[:n])
	return n, err
}

func (c *tee) Write(b []byte) (int, error) {
	c.keep(record.KindRequest, b)
	return c.Conn.Write(b)
}

// TestRealServer decodes what a real PostgreSQL and a real client say: binary values
// have to read as the server itself writes them.
func TestRealServer(t *testing.T) {
	ctx := t.Context()
	home, err := pgserver.Ensure(ctx, "../../.tools", pgserver.Newest)
	must(t, err)
	srv, err := pgserver.Start(ctx, pgserver.Options{Home: home})
	must(t, err)
	defer srv.Stop()
	cfg, err := pgx.ParseConfig(strings.Replace(srv.URL("postgres"), "sslmode=prefer", "sslmode=disable", 1))
	must(t, err)
	l := newList()
	l.frames = append(l.frames, session(t).frames[0])
	c := &tee{log: l}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c.Conn, err = d.DialContext(ctx, network, addr)
		return c, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	must(t, err)
	defer conn.Close(context.WithoutCancel(ctx))
	c.mu.Lock()
	c.on = true
	c.mu.Unlock()
	exprs := []string{"1::int2", "-5::int4", "9000000000::int8", "1.5::float8", "12345.678901::numeric", "true", "'text é'::text", "'x'::varchar",
		"'2024-02-29'::date", "'2024-02-29 12:34:56.789'::timestamp", "'12:34:56'::time", "'0a1b2c3d-0000-4000-8000-000000000001'::uuid",
		`'{"a": [1, null]}'::jsonb`, `'{"b":2}'::json`, "'10.1.0.0/16'::cidr", "array[1,2,null]::int4[]", "array['a','b c']::text[]",
		"'\\xdeadbeef'::bytea", "null::int4", "'(1,2)'::point"}
	var want []string
	for _, e := range exprs {
		var text *string
		must(t, conn.QueryRow(ctx, "select ("+e+")::text", pgx.QueryExecModeSimpleProtocol).Scan(&text))
		if text == nil {
			want = append(want, "NULL")
		} else if e == "true" {
			want = append(want, "t") // the cast says "true", the output function "t"
		} else {
			want = append(want, *text)
		}
		rows, err := conn.Query(ctx, "select "+e+" as v", pgx.QueryResultFormats{1})
		must(t, err)
		rows.Close()
		must(t, rows.Err())
	}
	_, err = conn.Exec(ctx, "select * from nowhere")
	if err == nil {
		t.Fatal("no error")
	}
	var copied bytes.Buffer
	_, err = conn.PgConn().CopyTo(ctx, &copied, "copy (select generate_series(1,3)) to stdout")
	must(t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	var out bytes.Buffer
	must(t, Text(ctx, &out, l.source(), Options{}))
	if strings.Contains(out.String(), "undecoded") {
		t.Error(out.String())
	}
	for _, s := range []string{`ERROR 42P01: relation "nowhere" does not exist`, "COPY 3"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("%q is not in the text", s)
		}
	}
	checkValues(t, out.String(), exprs, want)
}

// checkValues finds, for each expression, its value twice: as the server's text, and from the binary form.
func checkValues(t *testing.T, out string, exprs, want []string) {
	var got []string
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "    ---") || strings.TrimSpace(l) == "-" || strings.HasPrefix(l, "    --") {
			if i > 0 && strings.TrimSpace(lines[i-1]) == "v" {
				got = append(got, strings.TrimSpace(lines[i+1]))
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d binary results, want %d:\n%s", len(got), len(want), out)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s is shown as %s, the server says %s", exprs[i], got[i], want[i])
		}
	}
}

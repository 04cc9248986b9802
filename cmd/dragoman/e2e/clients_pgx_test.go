package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestPgx is pgx direct and through the gateway, step by step.
func TestPgx(t *testing.T) {
	db := clientsDatabase(t, pgserver.Newest)
	t.Run("direct", func(t *testing.T) { pgxSteps(t, direct(db), "direct", false) })
	r := startRig(t, db, clientsRules)
	r.approver(t)
	t.Run("gateway", func(t *testing.T) { pgxSteps(t, r.place, "gateway", true) })
}

func pgxSteps(t *testing.T, p place, who string, through bool) {
	c := p.connect(t)
	t.Run("types", func(t *testing.T) { pgxTypes(t, c) })
	t.Run("batches", func(t *testing.T) { pgxBatches(t, c, who) })
	t.Run("copy", func(t *testing.T) { pgxCopy(t, c, who) })
	t.Run("cancel", func(t *testing.T) { pgxCancel(t, c) })
	t.Run("notify", func(t *testing.T) { pgxNotify(t, c, map[bool]string{true: "[redacted]", false: "hello"}[through]) })
	t.Run("errors", func(t *testing.T) { pgxErrors(t, c) })
	t.Run("masks", func(t *testing.T) { pgxMasks(t, c, through) })
	t.Run("large", func(t *testing.T) { pgxLarge(t, c) })
	if through {
		t.Run("policy", func(t *testing.T) { pgxPolicy(t, c) })
	}
}

var pgxModes = []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeCacheStatement}

// pgxTypes sends and reads each common type in every way that pgx has, twice, so
// that statements are used again.
func pgxTypes(t *testing.T, c *pgx.Conn) {
	at := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)
	for _, v := range []struct {
		typ string
		val any
	}{
		{"int2", int16(7)}, {"int4", int32(-70000)}, {"int8", int64(1) << 40}, {"float4", float32(1.5)}, {"float8", 1.25},
		{"bool", true}, {"text", "naïve ☃ ' \\"}, {"varchar", ""}, {"bytea", []byte{0, 255, 1}}, {"timestamptz", at},
		{"date", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)}, {"uuid", [16]byte{1, 2, 3}}, {"inet", netip.MustParsePrefix("10.1.2.0/24")},
		{"int4[]", []int32{1, -3}}, {"text[]", []string{"a,b", "", `"`}}, {"numeric", pgtype.Numeric{Int: bigInt(123456789), Exp: -4, Valid: true}},
		{"interval", pgtype.Interval{Days: 3, Microseconds: 4, Valid: true}}, {"jsonb", map[string]any{"a": []any{1.0}}},
		{"time", pgtype.Time{Microseconds: 3723000000, Valid: true}}, {"int4range", pgtype.Range[int32]{Lower: 1, Upper: 5, LowerType: 'i', UpperType: 'e', Valid: true}},
	} {
		for _, mode := range pgxModes {
			if mode == pgx.QueryExecModeSimpleProtocol || mode == pgx.QueryExecModeExec {
				switch v.typ {
				case "uuid", "jsonb", "int4range": // what pgx sends here depends on the Go type alone
					continue
				}
			}
			for range 2 {
				got := reflect.New(reflect.TypeOf(v.val))
				if err := c.QueryRow(context.Background(), "SELECT $1::"+v.typ, mode, v.val).Scan(got.Interface()); err != nil {
					t.Errorf("%s in mode %s: %v", v.typ, mode, err)
				} else if x := got.Elem().Interface(); !same(x, v.val) {
					t.Errorf("%s in mode %s: %v became %v", v.typ, mode, v.val, x)
				}
			}
		}
	}
}

func same(a, b any) bool {
	if x, ok := a.(time.Time); ok {
		return x.Equal(b.(time.Time))
	}
	return reflect.DeepEqual(a, b)
}

// pgxBatches sends many statements before it reads an answer.
func pgxBatches(t *testing.T, c *pgx.Conn, who string) {
	ctx := context.Background()
	var b pgx.Batch
	for i := range 200 {
		b.Queue("INSERT INTO work (who, v, n) VALUES ($1, 'batch', $2) RETURNING n", who, i)
	}
	r := c.SendBatch(ctx, &b)
	for i := range 200 {
		var n int
		if err := r.QueryRow().Scan(&n); err != nil || n != i {
			t.Fatalf("answer %d: %d, %v", i, n, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// One that fails takes the whole implicit transaction with it.
	b = pgx.Batch{}
	b.Queue("INSERT INTO work (who, v, n) VALUES ($1, 'lost', 1000)", who)
	b.Queue("INSERT INTO work (who, v, n) VALUES ($1, 'twice', 1)", who)
	b.Queue("INSERT INTO work (who, v, n) VALUES ($1, 'lost', 1001)", who)
	wantCode(t, c.SendBatch(ctx, &b).Close(), "23505")
	var n int
	if err := c.QueryRow(ctx, "SELECT count(*) FROM work WHERE who = $1", who).Scan(&n); err != nil || n != 200 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func pgxCopy(t *testing.T, c *pgx.Conn, who string) {
	ctx := context.Background()
	n, err := c.CopyFrom(ctx, pgx.Identifier{"work"}, []string{"who", "v", "n"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
		return []any{who + "-copy", strings.Repeat("x", 100), i}, nil
	}))
	if err != nil || n != 5000 {
		t.Fatalf("%d rows copied, %v", n, err)
	}
	for _, format := range []string{"text", "csv", "binary"} {
		var out bytes.Buffer
		tag, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT who, v, n FROM work WHERE who = '"+who+"-copy') TO STDOUT (FORMAT "+format+")")
		if err != nil || tag.RowsAffected() != 5000 {
			t.Fatalf("%s: %s, %v", format, tag, err)
		}
		in := "COPY work (who, v, n) FROM STDIN (FORMAT " + format + ")"
		if _, err := c.Exec(ctx, "DELETE FROM work WHERE who = $1", who+"-copy"); err != nil {
			t.Fatal(err)
		}
		if tag, err := c.PgConn().CopyFrom(ctx, &out, in); err != nil || tag.RowsAffected() != 5000 {
			t.Fatalf("%s back: %s, %v", format, tag, err)
		}
	}
	// A source that fails becomes a CopyFail; the connection goes on.
	_, err = c.PgConn().CopyFrom(ctx, io.MultiReader(strings.NewReader("a\tb\t1\n"), failing{}), "COPY work (who, v, n) FROM STDIN")
	wantCode(t, err, "57014")
	_, err = c.PgConn().CopyFrom(ctx, strings.NewReader("a\tb\tno number\n"), "COPY work (who, v, n) FROM STDIN")
	wantCode(t, err, "22P02")
	alive(t, c)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the source has failed") }

func pgxCancel(t *testing.T, c *pgx.Conn) {
	result := make(chan error, 1)
	go func() { _, err := c.Exec(context.Background(), "SELECT pg_sleep(200)"); result <- err }()
	for {
		select {
		case err := <-result:
			wantCode(t, err, "57014")
			alive(t, c)
			return
		case <-time.After(300 * time.Millisecond): // one that comes before the statement has begun hits nothing
			c.PgConn().CancelRequest(context.Background())
		}
	}
}

// pgxNotify: a payload may hold anything, so it is hidden while columns are masked.
func pgxNotify(t *testing.T, c *pgx.Conn, want string) {
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	for _, s := range []string{"LISTEN pgx_channel", "NOTIFY pgx_channel, 'hello'"} {
		if _, err := c.Exec(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	n, err := c.WaitForNotification(ctx)
	if err != nil || n.Payload != want {
		t.Errorf("%+v, %v", n, err)
	}
}

func pgxErrors(t *testing.T, c *pgx.Conn) {
	ctx := context.Background()
	for _, mode := range pgxModes {
		_, err := c.Exec(ctx, "SELECT 1/(n-n) FROM generate_series(1,3) n", mode)
		wantCode(t, err, "22012")
		alive(t, c)
	}
	// A syntax error's position is that in the client's own text.
	_, err := c.Exec(ctx, "SELECT 1 FROMM people WHERE", pgx.QueryExecModeSimpleProtocol)
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "42601" && pe.Code != "42501" {
		t.Errorf("got %v", err)
	}
	_, err = c.Exec(ctx, "SELECT no_such_column FROM people", pgx.QueryExecModeSimpleProtocol)
	if !errors.As(err, &pe) || pe.Code != "42703" && pe.Code != "42501" || pe.Code == "42703" && pe.Position != 8 {
		t.Errorf("got %v at %d", err, pe.Position)
	}
	alive(t, c)
}

func pgxMasks(t *testing.T, c *pgx.Conn, through bool) {
	for _, mode := range pgxModes {
		var email, ssn string
		var pin int32
		if err := c.QueryRow(context.Background(), "SELECT email, ssn, pin FROM people WHERE id = $1", mode, 1).Scan(&email, &ssn, &pin); err != nil {
			t.Fatal(err)
		}
		if masked := ssn == "[redacted]" && pin == 0 && !strings.Contains(email, "person.1"); masked != through {
			t.Errorf("mode %s: %q %q %d", mode, email, ssn, pin)
		}
	}
}

// pgxLarge sends a value of 50 MB and reads one.
func pgxLarge(t *testing.T, c *pgx.Conn) {
	const size = 50 << 20
	value := bytes.Repeat([]byte{0xa5}, size)
	var n int
	if err := c.QueryRow(context.Background(), "SELECT length($1::bytea)", value).Scan(&n); err != nil || n != size {
		t.Fatalf("%d, %v", n, err)
	}
	var text string
	if err := c.QueryRow(context.Background(), "SELECT repeat('x', $1)", size).Scan(&text); err != nil || len(text) != size {
		t.Fatalf("%d, %v", len(text), err)
	}
	alive(t, c)
}

func pgxPolicy(t *testing.T, c *pgx.Conn) {
	ctx := context.Background()
	for _, mode := range pgxModes {
		_, err := c.Exec(ctx, "SELECT * FROM off_limits WHERE id = $1", mode, 1)
		wantBlocked(t, err, "no-off-limits")
		alive(t, c)
		if tag, err := c.Exec(ctx, "UPDATE held SET v = $1 WHERE id = 10", mode, fmt.Sprint("pgx ", mode)); err != nil || tag.RowsAffected() != 1 {
			t.Errorf("mode %s: %s, %v", mode, tag, err)
		}
	}
}

func bigInt(n int64) *big.Int { return big.NewInt(n) }

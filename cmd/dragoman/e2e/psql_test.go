package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/pgserver"
)

// place is where a client connects to and as whom.
type place struct {
	Port     int
	User     string
	Password string
	Database string
	Extra    string // more libpq parameters
}

func (p place) dsn() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s connect_timeout=20 %s", p.Port, p.User, p.Database, p.Extra)
}

// connect opens a pgx connection through the place.
func (p place) connect(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, p.dsn()+" sslmode=prefer password="+p.Password)
	if err != nil {
		var said *pgconn.PgError
		if errors.As(err, &said) {
			t.Fatalf("connecting: %v (%s)", err, said.Detail)
		}
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// psql runs a script and returns stdout and stderr as they came, interleaved
// by psql itself.
func (p place) psql(t testing.TB, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", append([]string{"-X", "-q", "-v", "VERBOSITY=verbose", p.dsn()}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password, "LC_ALL=C", "PGCLIENTENCODING=UTF8")
	cmd.Stdin = strings.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && ctx.Err() != nil {
		t.Errorf("psql did not end: %v\n%s", err, out.String())
	}
	return out.String()
}

// target is the YAML of one Postgres target on a free port.
func target(name string, port int, s *pgserver.Server, database string, more ...string) string {
	text := fmt.Sprintf("  - name: %s\n    protocol: postgres\n    address: %s\n    listen: 127.0.0.1:%d\n    credentials:\n      user: %s\n      password: file:%s-password\n      database: %s\n",
		name, s.Addr(), port, s.User, name, database)
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

// execSQL runs a script directly on the server.
func execSQL(t testing.TB, s *pgserver.Server, database, script string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, script); err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
}

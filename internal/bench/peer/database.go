package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

// Database is the PostgreSQL behind all peers: pgbench's tables and a table
// `customers` of Rows rows.
type Database struct {
	Server *pgserver.Server
	// PgBench is the client that fills and drives it.
	PgBench string
}

const (
	database = "bench"
	// Rows of customers, which the long read takes all.
	Rows = 100_000
)

var schema = []string{`
CREATE TABLE customers (
  id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, ssn text NOT NULL, card text NOT NULL,
  city text NOT NULL, balance numeric(12,2) NOT NULL, created timestamptz NOT NULL, notes text)`, `
INSERT INTO customers SELECT i, 'Customer ' || i, 'customer' || i || '@example.com',
  lpad((i % 900 + 1)::text, 3, '0') || '-' || lpad((i % 99 + 1)::text, 2, '0') || '-' || lpad((i % 9999 + 1)::text, 4, '0'),
  '4' || lpad(i::text, 15, '0'), (ARRAY['Berlin','Nairobi','Lima','Osaka'])[i % 4 + 1], i % 10000 / 7.0,
  '2025-01-01'::timestamptz + i * interval '1 minute',
  'Prefers deliveries in the morning, order number ' || i * 17
FROM generate_series(1, ` + strconv.Itoa(Rows) + `) i`,
	`VACUUM (ANALYZE, FREEZE) customers`,
}

// StartDatabase starts a server of the version and fills it.
func StartDatabase(ctx context.Context, tools, version string, scale int) (*Database, error) {
	bench, err := findPgBench()
	if err != nil {
		return nil, err
	}
	home, err := pgserver.Ensure(ctx, tools, version)
	if err != nil {
		return nil, err
	}
	s, err := pgserver.Start(ctx, pgserver.Options{Home: home, Settings: map[string]string{
		"shared_buffers": "512MB", "autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "4GB"}})
	if err != nil {
		return nil, err
	}
	d := &Database{Server: s, PgBench: bench}
	if err := d.fill(ctx, scale); err != nil {
		s.Stop()
		return nil, err
	}
	return d, nil
}

func (d *Database) fill(ctx context.Context, scale int) error {
	c, err := pgx.Connect(ctx, d.Server.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE "+database)
	c.Close(ctx)
	if err != nil {
		return err
	}
	p := d.place()
	cmd := exec.CommandContext(ctx, d.PgBench, "-i", "-q", "-s", strconv.Itoa(scale), p.DSN())
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench -i: %w\n%s", err, out)
	}
	if c, err = pgx.Connect(ctx, d.Server.URL(database)); err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, sql := range schema {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("filling the database: %w", err)
		}
	}
	return nil
}

func (d *Database) place() Place {
	return Place{Port: d.Server.Port, User: d.Server.User, Password: d.Server.Password, Database: database}
}

// Direct is the database itself.
func (d *Database) Direct() *Peer { return &Peer{Name: Direct, Place: d.place()} }

// findPgBench takes the one on PATH, or else the newest of Debian's.
func findPgBench() (string, error) {
	if p, err := exec.LookPath("pgbench"); err == nil {
		return p, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if len(found) == 0 {
		return "", fmt.Errorf("pgbench is missing: install the package postgresql-15 (or a newer postgresql-NN)")
	}
	sort.Strings(found)
	return found[len(found)-1], nil
}

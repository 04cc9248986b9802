package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestReplication: what a replication connection carries can be neither judged nor masked, so there is none,
// whatever policy says; nor does a replication command work on an ordinary connection.
func TestReplication(t *testing.T) {
	db := postgres(t, pgserver.Newest, pgserver.Options{Settings: map[string]string{"wal_level": "logical"}})
	execSQL(t, db, "postgres", "CREATE DATABASE clients")
	execSQL(t, db, "clients", clientsSQL)
	execSQL(t, db, "clients", "SELECT pg_create_logical_replication_slot('s', 'test_decoding')")
	r := startRig(t, db, allowAll)
	ctx := context.Background()
	for _, mode := range []string{"database", "true", "on", "1", "yes"} {
		_, err := pgconn.Connect(ctx, r.place.dsn()+" password="+r.place.Password+" replication="+mode)
		wantRefusal(t, err, "replication connections are refused")
	}
	c, err := pgconn.Connect(ctx, r.place.dsn()+" password="+r.place.Password+" replication=off")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"IDENTIFY_SYSTEM", "START_REPLICATION SLOT s LOGICAL 0/0", "CREATE_REPLICATION_SLOT t LOGICAL test_decoding", "BASE_BACKUP"} {
		if _, err := c.Exec(ctx, command).ReadAll(); err == nil || !strings.Contains(err.Error(), "syntax error") {
			t.Errorf("%s: %v", command, err)
		}
	}
	c.Close(ctx)
	// The real client, against the target itself and through the gateway.
	receive := func(p place) string {
		stop, end := context.WithTimeout(ctx, 60*time.Second)
		defer end()
		cmd := exec.CommandContext(stop, receiver(t), "-d", p.dsn()+" password="+p.Password, "-S", "s", "--start", "--no-loop", "-f", "-", "-E", "0/FFFFFF")
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	execSQL(t, db, "clients", "INSERT INTO people VALUES (1000, 'x', 'x@example.com', '000-11-2222', 1)")
	if out := receive(r.place); !strings.Contains(out, "replication connections are refused") || strings.Contains(out, "000-11-2222") {
		t.Errorf("pg_recvlogical:\n%s", out)
	}
}

// receiver is Debian's pg_recvlogical.
func receiver(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/lib/postgresql/15/bin/pg_recvlogical", "pg_recvlogical"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatal("pg_recvlogical is missing: install postgresql-client-15")
	return ""
}

func wantRefusal(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("want %q, got %v", words, err)
	}
}

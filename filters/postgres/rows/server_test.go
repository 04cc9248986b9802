package rows

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// server starts a PostgreSQL of its own on a unix socket, for one test.
func server(t *testing.T) func() *pgconn.PgConn {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	sort.Strings(bins)
	if len(bins) == 0 {
		t.Fatal("no PostgreSQL under /usr/lib/postgresql: install Debian's postgresql")
	}
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("", "rows")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	if out, err := asNobody(bin+"/initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	cmd := asNobody(bin+"/postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
	})
	return func() *pgconn.PgConn { return connect(t, dir) }
}

func asNobody(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	cmd.Dir = "/"
	return cmd
}

func connect(t *testing.T, dir string) *pgconn.PgConn {
	t.Helper()
	cfg, err := pgconn.ParseConfig("host=" + dir + " user=postgres dbname=postgres sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		list, _ := c.CustomData()["notices"].([]*pgconn.Notice)
		c.CustomData()["notices"] = append(list, n)
	}
	for range 100 {
		var c *pgconn.PgConn
		if c, err = pgconn.ConnectConfig(context.Background(), cfg); err == nil {
			t.Cleanup(func() { c.Close(context.Background()) })
			return c
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

func run(t *testing.T, c *pgconn.PgConn, sql string) [][][]byte {
	t.Helper()
	res, err := c.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
	if len(res) == 0 {
		return nil
	}
	return res[len(res)-1].Rows
}

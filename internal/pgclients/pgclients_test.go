package pgclients

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestClientsLoad(t *testing.T) {
	ctx := context.Background()
	const tools = "../../.tools"
	python, err := Python(ctx, tools)
	if err != nil {
		t.Fatal(err)
	}
	node, err := Node(ctx, tools)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  string
		args []string
	}{
		{"PYTHONPATH=" + python, []string{"python3", "-c", "import psycopg, psycopg_binary, asyncpg"}},
		{"NODE_PATH=" + node, []string{"node", "-e", "require('pg'); require('pg-cursor'); require('pg-copy-streams')"}},
	} {
		cmd := exec.Command(c.args[0], c.args[1:]...)
		cmd.Env = append(os.Environ(), c.env)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
	for name, get := range map[string]func(context.Context, string) (string, error){"JDBC": JDBC, "Pgbench": Pgbench} {
		path, err := get(ctx, tools)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnsureFetchesOncePerPins(t *testing.T) {
	dir, calls := t.TempDir(), 0
	fetch := func(home string) error {
		calls++
		return os.WriteFile(filepath.Join(home, "got"), nil, 0o644)
	}
	for _, salt := range []string{"a", "a", "b"} {
		if _, err := ensure(dir, "x", salt, fetch, "package.json"); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 2 {
		t.Errorf("fetched %d times for two pins", calls)
	}
	broken := errors.New("broken")
	for range 2 { // a failed fetch is not taken for done
		if _, err := ensure(dir, "y", "", func(string) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
}

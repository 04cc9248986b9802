package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"dragoman.dev/dragoman/internal/pgserver"
)

// volatile is what two runs of the suite print differently anyway. pg_regress
// itself compares with what PostgreSQL's authors expect; we compare the runs.
var volatile = []*regexp.Regexp{
	regexp.MustCompile(`server process (with )?PID \d+`),
	regexp.MustCompile(`pg_(toast|temp)_\d+`),
}

// compareSuite runs the suite both ways and reports every script whose output differs.
func compareSuite(ctx context.Context, o options, r *rig) error {
	home, err := pgserver.Ensure(ctx, o.tools, pgserver.V15)
	if err != nil {
		return err
	}
	in, err := suite(ctx, o.tools, home)
	if err != nil {
		return err
	}
	work := o.out
	if work == "" {
		if work, err = os.MkdirTemp("", "regress-"); err != nil {
			return err
		}
	}
	direct, through := filepath.Join(work, "direct"), filepath.Join(work, "gateway")
	for _, p := range []place{r.direct(), r.gateway} {
		dir := filepath.Join(work, p.name)
		if err := prepare(dir, in); err != nil {
			return err
		}
		fmt.Printf("== %s\n", p.name)
		if err := regress(ctx, o, home, dir, p, r.server.User); err != nil {
			return err
		}
	}
	if err := compare(direct, through); err != nil {
		return fmt.Errorf("%w; both runs are in %s", err, work)
	}
	if o.out == "" {
		return os.RemoveAll(work)
	}
	return nil
}

// prepare gives a run a copy of the suite that the server's own user may read, and a folder that it may write.
func prepare(dir, in string) error {
	if err := os.MkdirAll(filepath.Join(dir, "out", "results"), 0o755); err != nil {
		return err
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{"out", "out/results"} {
		if err := os.Chmod(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	return shell(context.Background(), dir, fmt.Sprintf("cp -r %s in; chmod -R a+rX in", in))
}

// regress runs pg_regress. That a script's output is not what is expected is no error here.
func regress(ctx context.Context, o options, home, dir string, p place, user string) error {
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	psql, err := psqlDir()
	if err != nil {
		return err
	}
	schedule := o.schedule
	if schedule == "" {
		schedule = filepath.Join(in, "parallel_schedule")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(home, "lib/postgresql/pgxs/src/test/regress/pg_regress"),
		"--inputdir="+in, "--outputdir="+out, "--dlpath="+in, "--bindir="+psql, "--host=127.0.0.1",
		fmt.Sprintf("--port=%d", p.port), "--user="+user, "--schedule="+schedule, "--max-connections=4")
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.password)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil // the comparison says what is wrong
	}
	return err
}

// psqlDir is the folder of a real psql; the distribution's one in the path is a script around it.
func psqlDir() (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("psql")
	return filepath.Dir(path), err
}

// compare reads the results of both runs.
func compare(direct, through string) error {
	names, err := filepath.Glob(filepath.Join(direct, "out/results/*.out"))
	if err != nil {
		return err
	}
	var differ []string
	for _, path := range names {
		name := filepath.Base(path)
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(through, "out/results", name))
		if err != nil || !same(name, normal(want, direct), normal(got, through)) {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	fmt.Printf("== %d scripts, %d differ %v\n", len(names), len(differ), differ)
	switch {
	case len(names) == 0:
		return errors.New("no script ran")
	case len(differ) > 0:
		return fmt.Errorf("%d scripts differ", len(differ))
	}
	return nil
}

// known is a line that a script prints one time more when it runs direct, the last
// time that it does; docs/testing.md says why.
var known = map[string]string{
	"temp.out": "ERROR:  cannot PREPARE a transaction that has operated on temporary objects\n",
}

func same(name string, want, got []byte) bool {
	if bytes.Equal(want, got) {
		return true
	}
	line := known[name]
	i := bytes.LastIndex(want, []byte(line))
	return line != "" && i >= 0 && bytes.Equal(slices.Concat(want[:i], want[i+len(line):]), got)
}

func normal(out []byte, dir string) []byte {
	out = bytes.ReplaceAll(out, []byte(dir), []byte("DIR"))
	for _, re := range volatile {
		out = re.ReplaceAll(out, nil)
	}
	return out
}

package postgres

import (
	"context"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/pgserver"
)

var volatile = []*regexp.Regexp{regexp.MustCompile(`LOCATION:.*`), regexp.MustCompile(`/\*dragoman[^*]*\*/ ?`),
	regexp.MustCompile(`pg_toast_\d+`), regexp.MustCompile(`server process with PID \d+|server process PID \d+`)}

// TestDifferentialScripts runs every fourth of the scripts in testdata/differential direct and through the filter with a policy
// that allows everything: both must print the same. The end-to-end suite runs all of them through Envoy.
func TestDifferentialScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/differential/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	home, err := pgserver.Ensure(context.Background(), "../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(context.Background(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	admin, err := pgx.Connect(context.Background(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	g := start(t, bundle(t, everything, ""), func(g *gateway) {
		g.upstream = s.Addr()
		g.authz.creds = check.Credentials{User: s.User, Password: s.Password}
		g.cfg.Comment = true
	})
	fresh := func() {
		do(t, admin, "drop database if exists diff with (force)", pgx.QueryExecModeSimpleProtocol)
		do(t, admin, "create database diff", pgx.QueryExecModeSimpleProtocol)
	}
	direct := strings.Replace(s.URL("diff"), "sslmode=prefer", "sslmode=disable&application_name=psql", 1)
	through := strings.Replace(g.url("&application_name=psql"), "/postgres?", "/diff?", 1)
	through = strings.Replace(through, "someone:", s.User+":", 1)
	differ := 0
	for n, path := range scripts {
		if n%4 != 0 {
			continue
		}
		var out [2]string
		for i, u := range []string{direct, through} {
			fresh()
			cmd := osexec.Command("psql", "-X", "-e", "-d", u)
			cmd.Stdin = strings.NewReader(read(t, path))
			b, _ := cmd.CombinedOutput() // scripts fail on purpose, too
			out[i] = string(b)
			for _, re := range volatile {
				out[i] = re.ReplaceAllString(out[i], "")
			}
		}
		if out[0] != out[1] {
			differ++
			a, b := diff(out[0], out[1])
			t.Errorf("%s differs\n--- direct\n%s\n--- through\n%s", filepath.Base(path), a, b)
		}
	}
	t.Logf("%d scripts differ", differ)
}

// diff cuts two texts to where they differ.
func diff(a, b string) (string, string) {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < min(len(la), len(lb)) && la[i] == lb[i] {
		i++
	}
	cut := func(l []string) string { return strings.Join(l[max(0, i-3):min(len(l), i+8)], "\n") }
	return cut(la), cut(lb)
}

// bypassRules let analysts read, and nothing that masks would have to stop is stopped by a missing grant.
const bypassRules = `
- {name: analyst, verdict: allow, when: {verbs: [select, explain, copy, show, declare, fetch, prepare, execute, lock], tables: ["*.*"]}}
- {name: writer, verdict: allow, when: {verbs: [insert, update, delete, merge, analyze, notify], tables: ["*.*"]}}
- {name: no-where, verdict: block, when: {verbs: [update, delete], features: {where: false}}}
- {name: gone, verdict: block, when: {verbs: [truncate, drop, call]}}
`

const bypassMasks = `
- {name: ssn, columns: [public.customers.ssn, public.customers.card, public.keyed.code, public.people.ssn]}
- {name: email, columns: [public.customers.email], way: partial}
`

// TestBypassLeaks runs the attack corpus through the filter: nothing of customer 1's secrets may come back. What must be
// blocked, and by whom, is the end-to-end suite's to say.
func TestBypassLeaks(t *testing.T) {
	d := direct(t)
	do(t, d, "drop database if exists corpus with (force)", pgx.QueryExecModeSimpleProtocol)
	do(t, d, "create database corpus", pgx.QueryExecModeSimpleProtocol)
	setup := osexec.Command("psql", "-X", "-q", "-d", strings.Replace(pg.URL("corpus"), "prefer", "disable", 1), "-f", "testdata/bypass/setup.sql")
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g := start(t, bundle(t, bypassRules, bypassMasks), func(g *gateway) { g.cfg.Comment = true })
	url := strings.Replace(g.url(""), "/postgres?", "/corpus?", 1)
	files, err := filepath.Glob("testdata/bypass/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`(?m)^-- ([a-z0-9-]+) (block|mask|safe)$`)
	n, blocked := 0, 0
	for _, f := range files {
		text := read(t, f)
		heads := head.FindAllStringSubmatchIndex(text, -1)
		for i, h := range heads {
			end := len(text)
			if i+1 < len(heads) {
				end = heads[i+1][0]
			}
			n++
			script := strings.TrimSpace(text[h[1]:end])
			b, _ := psqlURL(url, strings.TrimSuffix(script, ";")+";\n").CombinedOutput()
			out := strings.ToLower(string(b))
			for _, canary := range []string{"219-09-8731", "219098731", "4929123456789012", "canaryperson"} {
				if strings.Contains(out, canary) {
					t.Errorf("LEAK %s/%s: %s\n%s\n%s", filepath.Base(f), text[h[2]:h[3]], canary, script, out)
				}
			}
			if text[h[4]:h[5]] == "block" {
				blocked++
				if !strings.Contains(out, "refused by policy") {
					t.Errorf("MISSED %s/%s\n%s\n%s", filepath.Base(f), text[h[2]:h[3]], script, out)
				}
			}
			if text[h[4]:h[5]] == "mask" && strings.Contains(out, "error") {
				t.Logf("refused though it could be masked: %s\n%s", script, out)
			}
		}
	}
	t.Logf("%d attacks, %d to be blocked", n, blocked)
}

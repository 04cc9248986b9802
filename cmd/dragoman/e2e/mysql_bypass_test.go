package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

const (
	mysqlCorpus   = repo + "/filters/mysql/testdata/bypass"
	mysqlOrdinary = repo + "/filters/mysql/testdata/ordinary"
)

// mysqlBypassRules let a writer do nearly everything, so that what stops an attack is the mask and the danger of the
// statement, not a missing grant.
const mysqlBypassRules = `rules:
  - name: analyst
    verdict: allow
    when: {groups: [analysts, writers], verbs: [select, explain, show, lock, do], tables: ["*.*"]}
  - name: analyst-do
    verdict: allow
    when: {groups: [analysts, writers], verbs: [do, set, kill, show, execute, prepare]}
  - name: no-where
    verdict: block
    when: {verbs: [update, delete], features: {where: false}}
  - name: truncate
    verdict: block
    when: {verbs: [truncate, drop, call]}
  - name: writer
    verdict: allow
    when:
      groups: [writers]
      verbs: [insert, update, delete, create, alter, analyze, load]
      tables: ["*.*"]
masks:
  - name: ssn
    columns: ["corpus.customers.ssn", "corpus.customers.card"]
    way: redact
  - name: email
    columns: ["corpus.customers.email"]
    way: partial
`

func mysqlBypassGateway(t *testing.T, kind mysqlserver.Kind) (*gateway, *mysqlserver.Server, int) {
	t.Helper()
	s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser})
	setupSQL, err := os.ReadFile(mysqlCorpus + "/setup.sql")
	if err != nil {
		t.Fatal(err)
	}
	mysqlExec(t, mysqlRoot(t, s, ""), "SET GLOBAL log_bin_trust_function_creators=1;"+string(setupSQL))
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + mysqlTarget("corpus", port, s) + "policy:\n  dir: policy\n",
		Files:  map[string]string{"corpus-password": "app-secret\n", "policy/rules.yaml": mysqlBypassRules},
	}).start()
	return g, s, port
}

// mysqlAttacks reads the corpus in the form of Postgres' one.
func mysqlAttacks(t *testing.T) (all []attack) {
	t.Helper()
	files, err := filepath.Glob(mysqlCorpus + "/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		heads := attackHead.FindAllStringSubmatchIndex(string(text), -1)
		for i, h := range heads {
			end := len(text)
			if i+1 < len(heads) {
				end = heads[i+1][0]
			}
			all = append(all, attack{class: strings.TrimSuffix(filepath.Base(f), ".sql"), name: string(text[h[2]:h[3]]),
				expect: string(text[h[4]:h[5]]), script: strings.TrimSpace(string(text[h[1]:end]))})
		}
	}
	return all
}

// TestMySQLBypassCorpus runs every attack as an analyst and as a writer. No canary may come back in any form, and what must
// be blocked must not reach the server.
func TestMySQLBypassCorpus(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) { mysqlBypass(t, kind) })
	}
}

func mysqlBypass(t *testing.T, kind mysqlserver.Kind) {
	g, s, port := mysqlBypassGateway(t, kind)
	all := mysqlAttacks(t)
	if len(all) < 580 {
		t.Fatalf("the corpus has shrunk to %d attacks", len(all))
	}
	leaks, missed, overblocked := 0, 0, 0
	for _, group := range []string{"analysts", "writers"} {
		p := mysqlPlace{Port: port, Password: g.token(group), Database: "corpus"}
		for _, a := range all {
			id := fmt.Sprintf("%s/%s as %s", a.class, a.name, group)
			script := strings.TrimSuffix(a.script, ";") + ";\n"
			if strings.HasPrefix(a.name, "multi") || strings.HasSuffix(a.name, "-message") {
				script = "DELIMITER $$\n" + a.script + "$$\n"
			}
			out := p.cli(t, script, "--silent", "--skip-column-names")
			seen := answersOnly(out)
			if l := leak(seen); l != "" {
				leaks++
				t.Errorf("LEAK %s: %s\n%s\n%s", id, l, a.script, out)
			}
			if a.expect == "block" && !strings.Contains(out, "ERROR 1142 (42000)") {
				missed++
				t.Errorf("MISSED %s: not refused\n%s\n%s", id, a.script, out)
			}
			if a.expect == "mask" && strings.Contains(out, "is refused by policy") {
				overblocked++
				t.Errorf("refused though it could be masked: %s\n%s\n%s", id, a.script, out)
			}
		}
	}
	log, err := os.ReadFile(s.GeneralLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		lines := strings.Split(strings.TrimSuffix(a.script, ";"), ";\n")
		if last := lines[len(lines)-1]; a.expect == "block" && !strings.Contains(a.script, "PREPARE") && a.name != "explain-extended" && strings.Contains(string(log), "*/ "+last) {
			missed++
			t.Errorf("MISSED %s/%s: the server saw it\n%s", a.class, a.name, a.script)
		}
	}
	t.Logf("%d attacks, two identities: %d leaks, %d missed blocks, %d refused that could have been masked", len(all), leaks, missed, overblocked)
}

// answersOnly leaves out the statements that the program repeats before an error.
func answersOnly(out string) string {
	var b strings.Builder
	quoted := false
	for _, line := range strings.Split(out, "\n") {
		if line == "--------------" {
			quoted = !quoted
			continue
		}
		if !quoted {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// TestMySQLOrdinaryQueries runs what an analyst does all day under the same policy: none may be refused.
func TestMySQLOrdinaryQueries(t *testing.T) {
	text, err := os.ReadFile(mysqlOrdinary + "/analyst.sql")
	if err != nil {
		t.Fatal(err)
	}
	queries := strings.Split(strings.TrimSpace(string(text)), ";\n")
	if len(queries) < 110 {
		t.Fatalf("the corpus has shrunk to %d", len(queries))
	}
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			g, _, port := mysqlBypassGateway(t, kind)
			p := mysqlPlace{Port: port, Password: g.token("analysts"), Database: "corpus"}
			wrong := 0
			for _, q := range queries {
				out := p.cli(t, q+";\n", "--silent")
				if strings.Contains(out, "refused") || strings.Contains(out, "ERROR") && !(kind == mysqlserver.MySQL && strings.Contains(out, "tx_isolation")) {
					wrong++
					t.Errorf("refused: %s\n%s", q, out)
				}
				if l := leak(answersOnly(out)); l != "" {
					t.Errorf("LEAK %s: %s\n%s", l, q, out)
				}
			}
			t.Logf("%d ordinary queries, %d false blocks", len(queries), wrong)
		})
	}
}

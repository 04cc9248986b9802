package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
)

const corpus = repo + "/filters/postgres/testdata/bypass"

// attack is one entry of the corpus: statements, each in a message of its own,
// and what must come of them. "block": refused before the server sees the last
// of it. "mask": it runs, and shows nothing. "safe": either.
type attack struct {
	class, name, expect string
	script              string
}

var attackHead = regexp.MustCompile(`(?m)^-- ([a-z0-9-]+) (block|mask|safe)$`)

func attacks(t *testing.T) []attack {
	t.Helper()
	files, err := filepath.Glob(corpus + "/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []attack
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
			all = append(all, attack{
				class:  strings.TrimSuffix(filepath.Base(f), ".sql"),
				name:   string(text[h[2]:h[3]]),
				expect: string(text[h[4]:h[5]]),
				script: strings.TrimSpace(string(text[h[1]:end])),
			})
		}
	}
	return all
}

// canaries are the secrets of customer 1.
var canaries = []string{"219-09-8731", "219098731", "4929123456789012", "canaryperson"}

var notAlnum = regexp.MustCompile(`[^a-z0-9]+`)

// leak names the canary that the output holds in some form, or "".
func leak(output string) string {
	plain := strings.ToLower(output)
	squeezed := notAlnum.ReplaceAllString(plain, "")
	for _, c := range canaries {
		forms := map[string]string{
			"plain": c, "reversed": reverse(c), "hex": hex.EncodeToString([]byte(c)),
			"base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(c)), "="),
		}
		for form, text := range forms {
			text = strings.ToLower(text)
			if strings.Contains(plain, text) || (len(text) > 8 && strings.Contains(squeezed, notAlnum.ReplaceAllString(text, ""))) {
				return c + " (" + form + ")"
			}
		}
	}
	return ""
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// bypassRules let a writer do nearly everything, so that what stops an attack
// is the mask and the danger of the statement, not a missing grant.
const bypassRules = `rules:
  - name: analyst
    verdict: allow
    when: {groups: [analysts], verbs: [select, explain, copy, show], tables: ["*.*"], features: {copy: out}}
  - name: analyst-select
    verdict: allow
    when: {groups: [analysts, writers], verbs: [select, explain, show, lock], tables: ["*.*"]}
  - name: no-ddl
    verdict: block
    when: {groups: [analysts], features: {ddl: true}}
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
      verbs: [insert, update, delete, merge, create, alter, comment, analyze, notify, copy]
      tables: ["*.*"]
masks:
  - name: ssn
    columns: ["public.customers.ssn", "public.customers.card", "public.keyed.code", "public.people.ssn"]
    way: redact
  - name: email
    columns: ["public.customers.email"]
    way: partial
`

func bypassGateway(t *testing.T, version string) (*gateway, *pgserver.Server, int) {
	t.Helper()
	db := postgres(t, version, pgserver.Options{Settings: map[string]string{"log_statement": "all", "log_min_messages": "warning", "log_min_error_statement": "panic", "log_line_prefix": "%a|"}})
	execSQL(t, db, "postgres", "CREATE DATABASE corpus")
	setupSQL, err := os.ReadFile(corpus + "/setup.sql")
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, db, "corpus", string(setupSQL))
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + strings.Replace(target("corpus", port, db, "corpus"), "user: postgres", "user: corpus", 1) + "policy:\n  dir: policy\n",
		Files:  map[string]string{"corpus-password": "corpus\n", "policy/rules.yaml": bypassRules},
	}).start()
	return g, db, port
}

// TestBypassCorpus runs every attack as an analyst, who may only read, and as
// a writer, who may do nearly everything. No canary may come back in any form,
// and what must be blocked must not reach the server.
func TestBypassCorpus(t *testing.T) {
	for _, version := range []string{pgserver.Newest, pgserver.V15} {
		t.Run("postgres-"+version, func(t *testing.T) { bypass(t, version) })
	}
}

func bypass(t *testing.T, version string) {
	g, db, port := bypassGateway(t, version)
	all := attacks(t)
	if len(all) < 150 {
		t.Fatalf("the corpus has shrunk to %d attacks", len(all))
	}
	leaks, missed, overblocked := 0, 0, 0
	for _, group := range []string{"analysts", "writers"} {
		p := place{Port: port, User: "agent", Password: g.token(group), Database: "corpus"}
		for _, a := range all {
			id := fmt.Sprintf("%s/%s as %s", a.class, a.name, group)
			out := p.psql(t, strings.TrimSuffix(a.script, ";")+";\n", "-A")
			if l := leak(out); l != "" {
				leaks++
				t.Errorf("LEAK %s: %s\n%s\n%s", id, l, a.script, out)
			}
			if a.expect == "block" && !strings.Contains(out, "42501") {
				missed++
				t.Errorf("MISSED %s: not refused\n%s\n%s", id, a.script, out)
			}
			if a.expect == "mask" && group == "analysts" && strings.Contains(out, "ERROR") {
				overblocked++
				t.Logf("refused though it could be masked: %s\n%s\n%s", id, a.script, out)
			}
		}
	}
	log, err := os.ReadFile(db.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.expect == "block" && !strings.Contains(a.script, "PREPARE") && strings.Contains(string(log), a.script) {
			missed++
			t.Errorf("MISSED %s/%s: the server saw it\n%s", a.class, a.name, a.script)
		}
	}
	t.Logf("%d attacks, two identities: %d leaks, %d missed blocks, %d refused that could have been masked", len(all), leaks, missed, overblocked)
}

package indextest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

// attacks are what somebody who searches may want a filter to be: SQL, the languages of the stores' full text search, patterns that take
// their time, and texts that a database does not take.
func attacks() []string {
	list := []string{"' OR '1'='1", "'; DROP TABLE sessions; --", `" OR 1=1 --`, "') UNION SELECT * FROM sessions --", "1); DELETE FROM facts; --", "\\'; DROP TABLE texts; --",
		"$1", "?", "?1", ":name", "@x", "%s", "%[1]s", "%n%n%n", "%", "_", "*", "**", "a*", "a* OR b", "NEAR(a b, 9)", "a NOT b", "words:a", "^a", "{words}: a", "- a", "a + b", `"a`, `"a" "b`,
		"a <-> b", "a & !b", "a | b", "'a':*", "a:A", "!!a", "()", "(a", ":*", "''", "\x00", "a\x00b", "\xff\xfe", "\xc3\x28", "\u202e", "\u0000\u0001", "\U0010FFFF", "ſſ", "İ", "ﬃ",
		"(a+)+$", "(.*)*", "^(([a-z])+.)+[A-Z]([a-z])+$", "\\", "\\\\", "\\'", "''''", "/* */", "--", ";", "\r\n", "\t", " ", "  ", "NULL", "pg_sleep(600)", "'||pg_sleep(600)||'",
		"select randomblob(1000000000)", "x' AND (SELECT count(*) FROM sessions a, sessions b, sessions c) --"}
	for _, part := range []string{"a", "a ", "a*", "\"a\" ", "'", "(", "é", "a\u0301", "-", "\x00"} {
		list = append(list, strings.Repeat(part, 64<<10/len(part)))
	}
	return list
}

// hostile: whatever a filter is, it is a value: it finds what has it, changes nothing, takes no long time, and is no fault of the store.
func hostile(t *testing.T, x index.Index, _ func() index.Index) {
	corpus(t, x)
	wrong := func(err error) bool {
		var no *index.QueryError
		return err == nil || errors.As(err, &no)
	}
	slowest, at := time.Duration(0), ""
	for _, attack := range attacks() {
		for field, q := range map[string]index.Query{"session": {Session: attack}, "identity": {Identity: attack}, "target": {Target: attack}, "verdict": {Verdict: attack}, "table": {Table: attack},
			"column": {Column: attack}, "verb": {Verb: attack}, "approver": {Approver: attack}, "text": {Text: attack}, "cursor": {Cursor: attack}} {
			began := time.Now()
			p, err := x.List(t.Context(), q)
			if took := time.Since(began); took > slowest {
				slowest, at = took, fmt.Sprintf("%s %.40q", field, attack)
			}
			if !wrong(err) {
				t.Errorf("%s %.60q: %v", field, attack, err)
			}
			if n := len(p.Sessions); n > 0 && field != "text" && strings.TrimSpace(attack) != "" {
				t.Errorf("%s %.60q finds %d sessions", field, attack, n)
			}
		}
		if _, err := x.Get(t.Context(), attack); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("get %.60q: %v", attack, err)
		}
		if list, err := x.Actions(t.Context(), attack, 0, 10); len(list) > 0 || err != nil && !errors.Is(err, index.ErrNotFound) {
			t.Errorf("actions of %.60q: %d, %v", attack, len(list), err)
		}
	}
	t.Logf("the slowest took %v: %s", slowest, at)
	if got := ids(t, x, index.Query{}); len(got) != 6 {
		t.Errorf("there are %v", got)
	}
}

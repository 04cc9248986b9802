package mask

import (
	"strings"
	"testing"
)

func known(names ...string) func(string) bool {
	return func(s string) bool {
		for _, n := range names {
			if s == n {
				return true
			}
		}
		return false
	}
}

func TestScrubErrorStrict(t *testing.T) {
	p := compile(t, Spec{Columns: []string{"customers.ssn"}}, Spec{Detectors: []string{"email"}})
	id := known("customers", "ssn", "orders", "customers_pkey")
	for _, c := range []struct {
		name string
		in   Notice
		want string // the message
	}{
		{"bad int", Notice{Code: "22P02", Message: `invalid input syntax for type integer: "123-45-6789"`}, "invalid text representation"},
		{"bad int, German", Notice{Code: "22P02", Message: `ungültige Eingabesyntax für Typ integer: »123-45-6789«`}, "invalid text representation"},
		{"bad int at a position", Notice{Code: "22P02", Position: "9", Message: `invalid input syntax for type integer: "123-45-6789"`}, "invalid text representation"},
		{"unique", Notice{Code: "23505", Message: `duplicate key value violates unique constraint "customers_pkey"`, Detail: "Key (ssn)=(123-45-6789) already exists."}, "unique violation"},
		{"check", Notice{Code: "23514", Message: `new row for relation "customers" violates check constraint "c"`, Detail: "Failing row contains (1, 123-45-6789)."}, "check violation"},
		{"view check", Notice{Code: "44000", Message: "x", Detail: "Failing row contains (1, 123-45-6789)."}, "WITH CHECK OPTION violation"},
		{"raise", Notice{Code: "P0001", Message: "123-45-6789", File: "pl_exec.c", Where: "PL/pgSQL function f() line 3 at RAISE"}, "error raised by a function"},
		{"raise with a forged code", Notice{Code: "42P01", Message: "123-45-6789", File: "pl_exec.c"}, "syntax error or access rule violation"},
		{"remote", Notice{Code: "42501", Message: "123-45-6789", File: "dblink.c"}, "syntax error or access rule violation"},
		{"regclass", Notice{Code: "42P01", Message: `relation "123-45-6789" does not exist`}, `relation "[redacted]" does not exist`},
		{"regclass, known", Notice{Code: "42P01", Message: `relation "customers" does not exist`}, `relation "customers" does not exist`},
		{"two quoted", Notice{Code: "42704", Message: `unrecognized configuration parameter "customers" 123-45-6789 "orders"`}, `unrecognized configuration parameter "[redacted]"`},
		{"regoper", Notice{Code: "42883", Message: `operator does not exist: 123-45-6789`}, "syntax error or access rule violation"},
		{"dots", Notice{Code: "42601", Message: `improper qualified name (too many dotted names): 1.2.3.4`}, "syntax error or access rule violation"},
		{"oid", Notice{Code: "42704", Message: `large object 123456789 does not exist`}, "large object * does not exist"},
		{"own text", Notice{Code: "42703", Message: `column "emial" does not exist`, Position: "8", Hint: `Perhaps you meant to reference the column "customers.email".`}, `column "emial" does not exist`},
		{"own syntax error", Notice{Code: "42601", Message: `syntax error at or near "SELCT"`, Position: "1"}, `syntax error at or near "SELCT"`},
		{"a function's syntax error", Notice{Code: "42601", Message: `syntax error at or near "123"`, InternalPosition: "1", InternalQuery: "123-45-6789", Where: "PL/pgSQL function x"}, "syntax error or access rule violation"},
		{"denied", Notice{Code: "42501", Message: "permission denied for table customers"}, "permission denied for table customers"},
		{"aborted", Notice{Code: "25P02", Message: "current transaction is aborted, commands ignored until end of transaction block"}, "current transaction is aborted, commands ignored until end of transaction block"},
		{"internal", Notice{Code: "XX000", Message: "123-45-6789"}, "internal error"},
		{"unknown class", Notice{Code: "ZZ123", Message: "123-45-6789"}, "the server sent an error"},
		{"no code", Notice{Message: "123-45-6789"}, "the server sent an error"},
		{"one quote", Notice{Code: "42P01", Message: `relation "123-45`}, `relation "[redacted]`},
		{"Japanese", Notice{Code: "42P01", Message: `リレーション"123-45-6789"は存在しません`}, `リレーション"[redacted]"は存在しません`},
		{"French", Notice{Code: "42P01", Message: `la relation « 123-45-6789 » n'existe pas`}, `la relation «[redacted]» n'existe pas`},
	} {
		n := c.in
		n.Where += ""
		p.ScrubError(&n, id)
		if got := strings.TrimSuffix(n.Message, " (details are hidden by masking)"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		all := n.Message + n.Detail + n.Hint + n.Where + n.InternalQuery
		if strings.Contains(all, "123") {
			t.Errorf("%s: leaks: %+v", c.name, n)
		}
		if c.name == "own text" && n.Hint != c.in.Hint {
			t.Errorf("%s: hint is %q", c.name, n.Hint)
		}
	}
}

func TestScrubNotice(t *testing.T) {
	p := compile(t, Spec{Columns: []string{"customers.ssn"}})
	n := Notice{Code: "00000", Message: "123-45-6789", File: "pl_exec.c", Where: "PL/pgSQL function f() line 3 at RAISE"}
	if !p.ScrubNotice(&n, nil) || strings.Contains(n.Message+n.Where, "123") || n.Hint == "" {
		t.Errorf("%+v", n)
	}
	n = Notice{Code: "25P01", Message: "there is no transaction in progress", File: "xact.c"}
	if p.ScrubNotice(&n, nil) || n.Message != "there is no transaction in progress" {
		t.Errorf("%+v", n)
	}
	d := compile(t, Spec{Columns: []string{"a.b"}, Detectors: []string{"email"}}, Spec{Detectors: []string{"card"}})
	if n := (Notice{Code: "22P02", Message: `bad: "al@example.com"`}); !d.ScrubError(&n, nil) || strings.Contains(n.Message, "al@") {
		t.Errorf("%+v", n)
	}
	d = compile(t, Spec{Detectors: []string{"email"}})
	n = Notice{Code: "P0001", Message: "mail al@example.com failed", Detail: "al@example.com", Hint: "x"}
	if !d.ScrubError(&n, nil) || n.Message != "mail [redacted] failed" || n.Detail != "[redacted]" || n.Hint != "x" {
		t.Errorf("%+v", n)
	}
	if n := (Notice{Code: "22P02", Message: `"x"`}); (*Plan)(nil).ScrubError(&n, nil) {
		t.Errorf("%+v", n)
	}
}

func TestScrubQuoted(t *testing.T) {
	id := known("customers", "ssn")
	for _, c := range []struct{ in, want string }{
		{`Duplicate entry 'al@x.com' for key 'email'`, `Duplicate entry '[redacted]'`},
		{`Table 'customers' has no column 'ssn'`, `Table 'customers' has no column 'ssn'`},
		{`Table 'customers' says "secret"`, `Table 'customers' says "[redacted]"`},
		{`Key (a, b)=(1, 2) already exists.`, `Key (a, b)=([redacted])`},
		{`Failing row contains (1, x).`, `Failing row contains ([redacted])`},
		{`You can't do that`, `You can't do that`},
		{`open "quote`, `open "[redacted]`},
		{`nothing`, `nothing`},
		{``, ``},
	} {
		got, n := ScrubQuoted([]byte("^"), c.in, id)
		if string(got) != "^"+c.want || (n > 0) != (c.in != c.want) {
			t.Errorf("%q: got %q (%d), want %q", c.in, got, n, c.want)
		}
	}
}

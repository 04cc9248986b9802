package pgsql

import (
	"errors"
	"strings"
	"testing"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// deep are texts whose trees grow with n, each way that the grammar nests.
func deep(n int) map[string]string {
	r := strings.Repeat
	return map[string]string{
		"operators":  "select 1" + r("+1", n),
		"prefixes":   "select " + r("- ", n) + "a",
		"nots":       "select " + r("not ", n) + "true",
		"parens":     "select " + r("(", n) + "1" + r(")", n),
		"functions":  "select " + r("f(", n) + "1" + r(")", n),
		"commas":     "select " + r("f(1,", n) + "1" + r(")", n),
		"selects":    "select " + r("(select ", n) + "1" + r(")", n),
		"from":       "select 1 from " + r("(select 1, 2 from ", n) + "a" + r(") b", n),
		"unions":     "select 1, 2" + r(" union select 1, 2", n),
		"intersects": "select 1, 2" + r(" intersect all select 1, 2", n),
		"excepts":    "select 1, 2" + r(" except select 1, 2", n),
		"joins":      "select 1 from a" + r(" join a on f(1, 2) and true", n),
		"crosses":    "select 1 from a" + r(" cross join a", n),
		"naturals":   "select 1 from a" + r(" natural left join a", n),
		"right":      "select 1 from " + r("a join ", n) + "b" + r(" on true and f(1, 2)", n),
		"casts":      "select a" + r("::int", n),
		"collates":   "select a" + r(` collate "C"`, n),
		"zones":      "select a" + r(" at time zone 'x'", n),
		"nulls":      "select a" + r(" is null", n),
		"notnulls":   "select a" + r(" notnull", n),
		"trues":      "select a" + r(" is true", n),
		"cases":      "select " + r("case when true and true then 1 else ", n) + "1" + r(" end", n),
		"whens":      "select " + r("case when true and case when a then ", n) + "1" + r(" end then 1 end", n),
		"ands":       "select a" + r(" and (b or (c", n) + r("))", n),
		"arrays":     "select " + r("array[1,", n) + "1" + r("]", n),
		"brackets":   "select a" + r("[a", n) + r("]", n),
		"rows":       "select " + r("row(1,", n) + "1" + r(")", n),
		"withs":      r("with a as (", n) + "select 1" + r(") select 1", n),
		"betweens":   "select " + r("a between 1 and (", n) + "1" + r(")", n),
		"concats":    "select 'a'" + r("||'a'", n),
		"arrows":     "select a" + r("->'a'", n),
		"elses":      "select case" + r(" when a then 1", n) + " end",
		"ins":        "select a" + r(" in (1)", n),
		"escapes":    "select " + r("a like (b) escape (", n) + "1" + r(")", n),
		"explains":   r("explain ", n) + "select 1",
		"intos":      "select " + r("extract(year from ", n) + "a" + r(")", n),
		"defaults":   "create table t(a int default " + r("- ", n) + "1)",
		"windows":    "select " + r("f(1) over (order by ", n) + "1" + r(")", n),
		"filters":    "select " + r("f(1) filter (where ", n) + "true" + r(")", n),
		"comments":   "select 1 " + r("/* ", n) + r("*/ ", n),
		"distinct":   "select a" + r(" is distinct from a", n),
		"json":       "select " + r("json_array(1, ", n) + "1" + r(")", n),
		"xml":        "select " + r("xmlelement(name a, ", n) + "1" + r(")", n),
	}
}

// TestDepth: what is deep enough to endanger a C stack never reaches the
// parser, and what does reach it comes back as a result or as an error.
func TestDepth(t *testing.T) {
	for _, n := range []int{100, 1000, 3000, 9000, 20000, 60000} {
		for name, text := range deep(n) {
			if len(text) > maxText {
				continue
			}
			st, err := Analyze(text, oldest())
			var pe *ParseError
			if err != nil && !errors.As(err, &pe) {
				t.Errorf("%s %d: %v", name, n, err)
			}
			if err == nil && len(st) == 0 {
				t.Errorf("%s %d: no statements", name, n)
			}
		}
	}
}

// TestGuardBelowStack: the parser survives trees of several times what the guard lets through.
func TestGuardBelowStack(t *testing.T) {
	for name, text := range deep(4 * maxDepth) {
		if _, err := pg.Parse(text); err != nil {
			t.Logf("%s: %v", name, err)
		}
		if len(text) < 64<<10 {
			fingerprint(text)
		}
	}
}

// TestLarge: size alone is no reason to refuse below the limit.
func TestLarge(t *testing.T) {
	rows := strings.Repeat("(1, 'name', 'a@b.c', null, null, 'some text', now()), ", 15000)
	text := "insert into customers values " + rows + "(2, 'x', 'y', null, null, null, now())"
	if len(text) > maxText {
		t.Fatal(len(text))
	}
	if _, err := Analyze(text, oldest()); err != nil {
		t.Fatal(err)
	}
	ors := "select * from customers where id = 1" + strings.Repeat(" or id = 2 and name = 'x'", 10000)
	if _, err := Analyze(ors, oldest()); err != nil {
		t.Fatal(err)
	}
	whens := "select case" + strings.Repeat(" when id = 1 then 'x'", 10000) + " end from customers"
	if _, err := Analyze(whens, oldest()); err != nil {
		t.Fatal(err)
	}
	if _, err := Analyze("select '"+strings.Repeat("x", maxText)+"'", oldest()); err == nil {
		t.Fatal("over the limit, and no error")
	}
}

func TestRefused(t *testing.T) {
	env := oldest()
	for _, text := range []string{"select 1\x00", "select '\xff'", "select 'x", "selec", "select $$a", "select 1 /* x"} {
		if _, err := Analyze(text, env); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	env.Strings = false
	if _, err := Analyze(`select '\' or ssn --' from customers`, env); err == nil {
		t.Error("a backslash without standard strings")
	}
	if _, err := Analyze(`select 'x'`, env); err != nil {
		t.Error(err)
	}
	var pe *ParseError
	if _, err := Analyze("select é from from", env); !errors.As(err, &pe) || pe.Position != len("select é from ") {
		t.Errorf("%+v", pe)
	}
	if st, err := Analyze(" ; -- nothing", env); err != nil || len(st) != 0 {
		t.Error(st, err)
	}
}

// TestWork: nested recursive queries cannot make the analysis run for long.
func TestWork(t *testing.T) {
	text := "select 1 as c0, 2 as c1, 3 as c2, 4 as c3"
	for range 14 {
		text = "with recursive t(a, b, c, d) as (select ssn, card, name, notes from customers union all select t.b, t.c, t.d, t.a from t join (" +
			text + ") x on true) select * from t"
	}
	start := time.Now()
	_, err := Analyze(text, oldest())
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("%v (%v)", d, err)
	}
	var wide strings.Builder
	wide.WriteString("select * from customers c0")
	for range 300 {
		wide.WriteString(", (select row_to_json(c) r, c.* from customers c) x")
	}
	if _, err := Analyze(wide.String(), oldest()); err != nil {
		t.Error(err)
	}
	if time.Since(start) > 20*time.Second {
		t.Error(time.Since(start))
	}
}

// TestCommentRun: what would cost the lexer time by the square of its length is
// refused; ordinary comments and banners are not.
func TestCommentRun(t *testing.T) {
	for text, ok := range map[string]bool{
		"SELECT " + strings.Repeat("/*", 1000) + strings.Repeat("*/", 1000) + " 1": false,
		"SELECT 1 " + strings.Repeat("/*+", 100) + strings.Repeat("*/", 100):       false,
		"/*" + strings.Repeat("*", 5000) + "/ SELECT 1":                            true,
		strings.Repeat("/* a */", 500) + " SELECT 1":                               true,
		"/* a /* b /* c */ */ */ SELECT 1":                                         true,
		"SELECT 1 -- " + strings.Repeat("-=", 3000):                                true,
		strings.Repeat("/**/", 2000) + "SELECT 1":                                  false,
	} {
		if err := guard(text, true); (err == nil) != ok {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
}

package rows

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/mask"
)

// leaky are statements whose errors or notices quote the number of the only
// row of people, 123-45-6789 or parts of it.
var leaky = []string{
	`SELECT ssn::int FROM people`,
	`SELECT ssn::numeric FROM people`,
	`SELECT ssn::date FROM people`,
	`SELECT ssn::uuid FROM people`,
	`SELECT ssn::json FROM people`,
	`SELECT ssn::jsonb FROM people`,
	`SELECT ssn::xml FROM people WHERE xmlparse(document ssn) IS NOT NULL`,
	`SELECT ssn::inet FROM people`,
	`SELECT ssn::point FROM people`,
	`SELECT ssn::bool FROM people`,
	`SELECT ssn::bit(3) FROM people`,
	`SELECT ssn::int4range FROM people`,
	`SELECT ssn::int[] FROM people`,
	`SELECT ssn::regclass FROM people`,
	`SELECT ssn::regtype FROM people`,
	`SELECT ssn::regproc FROM people`,
	`SELECT ssn::regoper FROM people`,
	`SELECT ssn::regoperator FROM people`,
	`SELECT ssn::regrole FROM people`,
	`SELECT ssn::regnamespace FROM people`,
	`SELECT ssn::regconfig FROM people`,
	`SELECT ('a.b.c.d' || ssn)::regproc FROM people`,
	`SELECT ('"people" ' || ssn || ' "people"')::regclass FROM people`,
	`SELECT ssn::mood FROM people`,
	`SELECT to_date(ssn, 'YYYY') FROM people`,
	`SELECT to_number(ssn, 'xx') FROM people`,
	`SELECT to_timestamp(ssn, 'Mon') FROM people`,
	`SELECT ssn::tsquery, to_tsquery('(' || ssn) FROM people`,
	`SELECT regexp_replace('a', '[' || ssn, '') FROM people`,
	`SELECT ssn::jsonpath FROM people`,
	`SELECT jsonb_path_query('{}', '$.' || ssn) FROM people`,
	`SELECT decode(ssn, 'hex') FROM people`,
	`SELECT decode('00', ssn) FROM people`,
	`SELECT set_config(ssn, 'x', false) FROM people`,
	`SELECT set_config('work_mem', ssn, false) FROM people`,
	`SELECT set_config('people" ' || ssn || ' "people', 'x', false) FROM people`,
	`SELECT current_setting(ssn) FROM people`,
	`SELECT set_config('search_path', ssn, false), set_config('timezone', ssn, false) FROM people`,
	`SELECT now() AT TIME ZONE ssn FROM people`,
	`SELECT date_trunc(ssn, now()) FROM people`,
	`SELECT extract('year' FROM ssn::interval) FROM people`,
	`SELECT date_part(ssn, now()) FROM people`,
	`SELECT convert('a', ssn, 'utf8') FROM people`,
	`SELECT encode('a', ssn) FROM people`,
	`SELECT format('%' || ssn) FROM people`,
	`SELECT nextval(ssn) FROM people`,
	`SELECT has_table_privilege(ssn, 'select') FROM people`,
	`SELECT has_table_privilege('people', ssn) FROM people`,
	`SELECT has_table_privilege(ssn, 'people', 'select') FROM people`,
	`SELECT lo_get(replace(ssn, '-', '')::oid) FROM people`,
	`SELECT lo_open(substr(ssn, 1, 3)::oid, 262144) FROM people`,
	`SELECT pg_read_file(ssn) FROM people`,
	`SELECT pg_ls_dir(ssn) FROM people`,
	`SELECT query_to_xml(ssn, true, true, '') FROM people`,
	`SELECT query_to_xml('SELECT ' || quote_literal(ssn) || '::int', true, true, '') FROM people`,
	`SELECT table_to_xml(ssn::regclass, true, true, '') FROM people`,
	`SELECT 1 / (CASE WHEN ssn::text > '' THEN 0 END) FROM people`,
	`SELECT replace(ssn, '-', '')::int2 FROM people`,
	`SELECT (replace(ssn, '-', '') || '99')::int FROM people`,
	`SELECT replace(ssn, '-', '')::numeric(3,2) FROM people`,
	`SELECT chr(replace(ssn, '-', '')::int) FROM people`,
	`SELECT make_date(replace(ssn, '-', '')::int, 13, 1) FROM people`,
	`SELECT pg_sleep(0), make_interval(secs => 'inf') FROM people WHERE ssn::name::regrole IS NULL`,
	`SELECT setseed(replace(ssn, '-', '')::int) FROM people`,
	`SELECT generate_series(1, 2, replace(ssn, '-', '')::int - 123456789) FROM people`,
	`SELECT * FROM people WHERE ssn::int = 1`,
	`INSERT INTO people SELECT * FROM people`,
	`INSERT INTO people SELECT id + 1, ssn, -1 FROM people`,
	`INSERT INTO people SELECT NULL, ssn, 1 FROM people`,
	`INSERT INTO child SELECT ssn FROM people`,
	`INSERT INTO short SELECT ssn FROM people`,
	`INSERT INTO nowhere SELECT ssn FROM people`,
	`UPDATE people SET n = ssn::int`,
	`UPDATE seen SET id = 99`,
	`DELETE FROM parent`,
	`CREATE UNIQUE INDEX ON twice (ssn)`,
	`ALTER TABLE people ALTER ssn TYPE int USING ssn::int`,
	`ALTER TABLE child ADD CONSTRAINT c CHECK (ssn <> '123-45-6789')`,
	`DO $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = (SELECT ssn FROM people), HINT = (SELECT ssn FROM people), DETAIL = (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN RAISE undefined_table USING TABLE = 'people', MESSAGE = 'relation "people" ' || (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN ASSERT false, (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN EXECUTE (SELECT ssn FROM people); END $$`,
	`DO $$ BEGIN EXECUTE 'SELECT "' || (SELECT ssn FROM people) || '"'; END $$`,
	`DO $$ DECLARE x int; BEGIN x := (SELECT ssn FROM people); END $$`,
	`SELECT shout(ssn) FROM people`,
	`SELECT quiet(ssn) FROM people`,
	`SELECT dblink_connect(ssn) FROM people`,
	`COPY (SELECT ssn::int FROM people) TO STDOUT`,
}

const leakyTables = `CREATE TYPE mood AS ENUM ('happy');
	CREATE TABLE people (id int PRIMARY KEY, ssn text, n int CHECK (n > 0)); INSERT INTO people VALUES (1, '123-45-6789', 1);
	CREATE TABLE parent (ssn text PRIMARY KEY); INSERT INTO parent VALUES ('123-45-6789');
	CREATE TABLE child (ssn text REFERENCES parent, u text UNIQUE); INSERT INTO child VALUES ('123-45-6789');
	CREATE TABLE short (ssn varchar(3)); CREATE TABLE twice (ssn text); INSERT INTO twice VALUES ('123-45-6789'), ('123-45-6789');
	CREATE VIEW seen AS SELECT * FROM people WHERE id < 10 WITH CHECK OPTION;
	CREATE FUNCTION shout(t text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''%'', t; RETURN t::int; END';
	CREATE FUNCTION quiet(t text) RETURNS int LANGUAGE sql AS 'SELECT t::int';`

// TestRealErrors provokes errors and notices that quote a masked value, and
// looks for it in what is left.
func TestRealErrors(t *testing.T) {
	dial := server(t)
	c := dial()
	run(t, c, leakyTables)
	p, err := mask.Compile([]mask.Spec{{Columns: []string{"*.ssn"}}}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	known := func(s string) bool { return strings.Contains(" people parent child ssn id ", " "+s+" ") }
	quoted := 0
	for _, sql := range leaky {
		var all []mask.Notice
		res := c.Exec(context.Background(), "BEGIN; SET LOCAL client_min_messages = debug1;"+sql)
		_, err := res.ReadAll()
		var pe *pgconn.PgError
		if errors.As(err, &pe) {
			all = append(all, notice(pe))
		}
		all = append(all, taken(c)...)
		run(t, c, "ROLLBACK")
		if pe == nil && len(all) == 0 {
			t.Logf("no error: %s", sql)
		}
		for _, n := range all {
			before := n.Message + n.Detail + n.Hint + n.Where + n.InternalQuery
			if secretIn(before) {
				quoted++
			}
			p.ScrubError(&n, known)
			if after := n.Message + "|" + n.Detail + "|" + n.Hint + "|" + n.Where + "|" + n.InternalQuery; secretIn(after) && !strings.Contains(sql, "'123-45-6789'") {
				t.Errorf("%s: leaks %q", sql, after)
			}
		}
	}
	if quoted < 50 {
		t.Errorf("only %d messages quoted the value, so little was tested", quoted)
	}
	t.Logf("%d messages quoted the value", quoted)
}

// secretIn looks for any three digits in a row of the value, or a chunk of it.
func secretIn(s string) bool {
	for _, part := range []string{"123", "6789", "-45-", "45-"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func notice(e *pgconn.PgError) mask.Notice {
	return mask.Notice{Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint, Position: position(e.Position),
		InternalPosition: position(e.InternalPosition), InternalQuery: e.InternalQuery, Where: e.Where, File: e.File}
}

func position(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

// taken gives the notices that came on the connection since the last call.
func taken(c *pgconn.PgConn) (out []mask.Notice) {
	list, _ := c.CustomData()["notices"].([]*pgconn.Notice)
	c.CustomData()["notices"] = []*pgconn.Notice(nil)
	for _, n := range list {
		out = append(out, notice((*pgconn.PgError)(n)))
	}
	return out
}

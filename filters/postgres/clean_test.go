package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestErrorsOfPlainTables: under masks, the text of an error is hidden unless it is certain that no masked column had a part in it.
func TestErrorsOfPlainTables(t *testing.T) {
	people(t)
	d := direct(t)
	do(t, d, `drop table if exists plain, guarded, fk, kept, dom, inh_parent cascade; drop domain if exists odd;
create table plain(id int primary key, v text, card text);
insert into plain values (1, 'plain value', 'x');
create table guarded(id int primary key, v text);
create or replace function tell() returns trigger language plpgsql as 'begin raise exception ''%'', (select ssn from people where id = 1) using errcode = ''23514''; end';
create trigger tell before insert on guarded for each row execute function tell();
create table fk(id int references people);
create or replace function peek(int) returns bool language plpgsql as 'begin raise exception ''%'', (select ssn from people where id = 1) using errcode = ''22012''; end';
create table kept(id int check (peek(id)));
create domain odd as int check (peek(value));
create table dom(x odd);
create table inh_parent(id int primary key, ssn text);
create table heir() inherits (people);
create table if not exists rows_guarded(id int);
alter table rows_guarded enable row level security`, pgx.QueryExecModeSimpleProtocol)
	t.Cleanup(func() {
		do(t, direct(t), "drop table plain, guarded, fk, kept, dom, inh_parent, rows_guarded, heir; drop domain odd; drop function tell, peek(int)", pgx.QueryExecModeSimpleProtocol)
	})
	g := start(t, bundle(t, everything, masked))
	c := g.connect(t, "")
	for _, tc := range []struct {
		sql, shown string // what the error shows, "" when it is hidden
	}{
		{"insert into plain values (1, 'again')", "(id)=(1)"},
		{"insert into plain values (7, 'x', '4111111111111111'), (7, 'x', 'x')", "(id)=(7)"},
		{"select 1 / (id - 1) from plain", "division by zero"},
		{"select v::int from plain", `"plain value"`},
		{"update plain set id = null where id = 1", "plain value"},
		{"insert into plain select id, ssn from people", ""},
		{"select v::int from plain, people", ""},
		{"insert into guarded values (1)", ""},
		{"insert into fk values (99)", ""},
		{"insert into kept values (1)", ""},
		{"insert into dom values (1)", ""},
		{"insert into heir(id, ssn) values (null, '123-45-6701')", ""},
		{"select peek(id) from plain", ""},
		{"select id / 0 from rows_guarded", ""},
		{"do $$ begin perform ssn::int from people; end $$", ""},
		{"insert into plain values (1, 'again'); select 1", ""},
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			if mode == pgx.QueryExecModeExec && strings.Contains(tc.sql, "; select") {
				continue
			}
			_, err := c.Exec(ctxT(t), tc.sql, mode)
			pe := asPgError(err)
			if pe == nil {
				if tc.sql != "select id / 0 from rows_guarded" {
					t.Errorf("%s: %v", tc.sql, err)
				}
				continue
			}
			text := pe.Message + " " + pe.Detail + " " + pe.Where
			if strings.Contains(text, "123-45-67") {
				t.Errorf("%s leaks: %s", tc.sql, text)
			}
			if tc.shown != "" && !strings.Contains(text, tc.shown) {
				t.Errorf("%s: hidden without need: %s", tc.sql, text)
			}
			if tc.shown == "" && pe.Code != "42501" && !strings.Contains(text, "hidden") && !strings.Contains(pe.Hint, "hidden") {
				t.Errorf("%s: shown: %s", tc.sql, text)
			}
		}
	}
}

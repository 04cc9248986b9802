package pgsql

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

// schema is what the tests' databases hold.
const schema = `
create table customers(id int primary key, name text not null, email varchar(100), ssn text, card text, notes text, created timestamptz default now());
create table orders(id int primary key, customer_id int references customers, total numeric(10,2), status text, data jsonb, tags text[]);
create schema app;
create table app.users(id int primary key, login text, secret text);
create view active as select c.id, c.name, c.email as mail, upper(c.ssn) as ussn from customers c where c.notes is not null;
create view active2 as select a.mail, a.id + 1 as next, u.login from active a join app.users u using (id);
create materialized view totals as select customer_id, sum(total) as sum from orders group by 1;
create table events(id int, at date, payload text, shout text generated always as (upper(payload)) stored) partition by range (at);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
create table base(a text, b text); create table derived(c text) inherits (base);
create type pair as (x text, y int);
create table pairs(id int, p pair);
create domain mail as text check (value like '%@%');
create function spy(int) returns text language sql as 'select ssn from customers where id = $1';
create function rowsof() returns setof customers language sql as 'select * from customers';
create function two(out a int, out b text) language sql as $$select 1, 'x'$$;
create sequence seq;
create extension pgcrypto;
create extension tablefunc;
insert into customers values (1, 'Ann', 'ann@example.com', '111-22-3333', '4111111111111111', 'n'), (2, 'Bob', 'bob@example.com', '222-33-4444', '4222', null);
insert into orders values (1, 1, 10.5, 'new', '{"a": 1}', '{x,y}'), (2, 1, 20, 'done', '{"a": 2}', '{z}');
`

type server struct {
	version string
	conn    *pgx.Conn
	env     Env
	doc     []byte
}

var servers []*server

// TestMain runs the tests against a real server of the oldest and of the newest version.
func TestMain(m *testing.M) { os.Exit(withServers(m)) }

func withServers(m *testing.M) int {
	ctx := context.Background()
	for _, v := range []string{pgserver.V15, pgserver.Newest} {
		home, err := pgserver.Ensure(ctx, "../../../.tools", v)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		s, err := pgserver.Start(ctx, pgserver.Options{Home: home})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer s.Stop()
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, schema); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		t := &server{version: v, conn: conn}
		if err := t.load(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		servers = append(servers, t)
	}
	return m.Run()
}

func (t *server) load(ctx context.Context) error {
	var doc, names string
	if err := t.conn.QueryRow(ctx, CatalogQuery).Scan(&doc); err != nil {
		return err
	}
	if err := t.conn.QueryRow(ctx, NamesQuery).Scan(&names); err != nil {
		return err
	}
	cat, err := DecodeCatalog([]byte(doc))
	if err != nil {
		return err
	}
	n, err := DecodeNames([]byte(names))
	t.doc = []byte(doc)
	t.env = Env{Catalog: cat, Path: n.Path, User: n.User, Strings: n.Strings}
	return err
}

// oldest is the environment of the first target.
func oldest() Env { return servers[0].env }

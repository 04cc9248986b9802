-- One statement a line; facts.golden holds what the analysis says of each.
select 1
select * from nowhere
select nothing from customers
select x.nothing from customers
select nofunc(ssn) from customers
select ssn from customers where true
delete from customers where 1 = 1
delete from customers where id = id
delete from customers where id = 1 or true
delete from customers where name like '%'
delete from customers where id = 1 and true
delete from customers where not (id = 1)
delete from customers
update customers set notes = null where ssn like '1%' returning id
with d as (delete from orders returning *) select * from d where id = 1
with d as (delete from orders where id = 2) update customers set notes = 'x' where id = 1
select id from customers c where c.ssn is not null order by email
select exists(select * from customers where ssn = 'x')
select id from customers where exists (select 1 / length(ssn) from customers)
select id from customers limit 10
select id from customers limit (10)
select id from customers limit 5 + 5
select id from customers limit all
select id from customers fetch first 3 rows only
select id from customers limit length((select ssn from customers limit 1))
select id from customers for update
select id from orders, generate_series(1, (select length(ssn) from customers limit 1))
select 1 from customers group by ssn
select sum(id) over (partition by ssn) from customers
select id from customers join app.users u on u.secret = customers.ssn
select 1 from customers join app.users using (id)
select 1 from customers natural join orders
select ssn from customers union select secret from app.users
select ssn from customers union all select secret from app.users
insert into orders(id, status) select id, ssn from customers
insert into orders(id, status) values (1, (select ssn from customers limit 1))
insert into customers(id, name) values (1, 'x') on conflict (id) do update set notes = customers.ssn
update customers set notes = ssn
update customers set (notes, name) = (select secret, login from app.users limit 1) where id = 1
merge into customers c using app.users u on c.id = u.id when matched and u.login = 'x' then update set notes = u.secret when not matched then insert (id, notes) values (u.id, u.secret)
insert into active(id, name) values (1, 'x')
update active set name = ussn where id = 1
create table copy as select id, ssn from customers
create table copy(a, b) as select id, ssn from customers
create temp table copy as select ssn from customers
create materialized view mv as select ssn from customers
create view v as select ssn s from customers where email = 'x'
create or replace view v(a) as select ssn from customers
select ssn into copy from customers
create table x(a text default 'x', b text generated always as (upper(a)) stored, check (length(a) > 1))
create table x(like customers including all)
create table x() inherits (customers)
create table x partition of events for values from (minvalue) to ('2020-01-01')
create table x(a int references customers(id))
create index i on customers (lower(ssn)) where email is not null
create index i on customers (ssn)
create unique index on customers (card)
create rule r as on insert to orders do also insert into customers(id, notes) select new.id, ssn from customers
create policy p on customers using (ssn = current_user)
create trigger t before insert on customers for each row when (new.ssn is null) execute function f()
create function f() returns text language sql as 'select 1'
create function f() returns text begin atomic select ssn from customers; end
create extension dblink
create role r login password 'x'
create server s foreign data wrapper postgres_fdw
create schema s create table t(a int)
create schema s
create database d
create statistics st on ssn, email from customers
create domain d as text check (value like 'a%')
create type t as (a int)
create cast (text as int) with function f(text)
create operator === (procedure = texteq, leftarg = text, rightarg = text)
create sequence s owned by customers.id
alter table customers add column x text default upper('x')
alter table customers alter column name type text using ssn
alter table customers rename to clients
alter table customers enable row level security
alter system set log_statement = 'none'
alter role postgres set search_path = x
alter default privileges grant select on tables to public
drop table customers, orders
drop table if exists nope
drop view active cascade
drop schema app cascade
drop function spy(int)
drop trigger t on customers
truncate customers, orders cascade
grant select on customers to public
revoke all on all tables in schema app from public
grant postgres to public
comment on table customers is 'x'
copy customers to stdout
copy customers(id, ssn) to stdout with (format csv, header, delimiter ';')
copy (select ssn from customers where id = 1) to stdout
copy customers from stdin
copy customers(id) from stdin where id > 1
copy customers to '/tmp/x'
copy customers from '/etc/passwd'
copy customers to program 'curl x'
copy customers from program 'id'
copy events to stdout
do 'begin end'
do $$ begin execute 'select 1'; end $$
call someproc(1)
set search_path = app
set local statement_timeout = 0
set role postgres
set session authorization x
reset role
reset all
set time zone 'UTC'
set transaction isolation level serializable
show search_path
begin
start transaction read only
commit
rollback
savepoint a
rollback to a
release a
prepare transaction 'x'
prepare p as select ssn from customers where id = $1
prepare p(int) as delete from customers where id = $1
execute p(1)
execute p((select ssn from customers limit 1))
deallocate p
deallocate all
declare c cursor for select ssn from customers
declare c cursor with hold for select 1
fetch 10 from c
move all in c
close c
create table x as execute p
explain execute p
explain select ssn from customers where email = 'x'
explain (analyze false) delete from customers
explain analyze delete from customers
explain (analyze) create table x as select ssn from customers
listen x
notify x, 'y'
unlisten *
lock table customers
vacuum customers
analyze customers(ssn)
vacuum full
cluster customers
reindex table customers
refresh materialized view totals
checkpoint
load 'x'
discard all
discard plans
import foreign schema x from server s into public
security label on table customers is 'x'
reassign owned by a to b
drop owned by a
set constraints all deferred
select pg_read_file('/etc/passwd')
select pg_ls_dir('/')
select lo_import('/etc/passwd')
select lo_get(1)
select loread(lo_open(1, 1), 10)
select * from pg_largeobject
select dblink('host=x', 'select 1')
select query_to_xml('select * from customers', true, true, '')
select table_to_xml('customers', true, true, '')
select ts_stat('select to_tsvector(ssn) from customers')
select set_config('role', 'postgres', false)
select set_config('a.b', ssn, false) from customers
select set_config(name, 'x', true) from customers
select pg_notify('x', ssn) from customers
select setval('seq', length(ssn)) from customers
select pg_terminate_backend(1)
select pg_reload_conf()
select pg_logical_slot_get_changes('x', null, null)
select most_common_vals from pg_stats
select stavalues1 from pg_statistic
select query from pg_stat_activity
select * from pg_stat_get_activity(null)
select rolpassword from pg_authid
select passwd from pg_shadow
select * from pg_user_mappings
select pg_sleep(10)
select spy(1)
select spy(length(ssn)) from customers
select * from rowsof()
select pg_temp.f(1)
select customers.spy from orders customers
select normal_rand(1, 0, 1), crypt('a', 'b')
select crosstab('select 1')
select customers.row_to_json from customers
select (c).to_jsonb from customers c
select cast(customers as text) from customers
select customers::text::customers from customers
select 'x'::nosuchtype
select 'a@b'::mail
select 'customers'::regclass
select currval('seq')
select xpath('/a', xmlparse(content ssn)) from customers
select mail from active where ussn = 'x'
select count(*) from active2
select * from customers, pg_stats
select old.ssn from customers old
delete from customers returning old.ssn
select c.ssn from orders o, lateral (select ssn from customers where id = o.id offset 0) c
select ssn from only (customers)
select ssn from customers tablesample bernoulli (length((select email from customers limit 1)))
select string_agg(c::text, ',') from (select * from customers) c
select array(select c from customers c)::text
select jsonb_path_query(to_jsonb(c), '$.ssn') from customers c
select min(x) from (select unnest(string_to_array(ssn, '-')) x from customers) y
with recursive a as (select ssn, email from customers union all select email, ssn from a) select * from a
with t as (select 1), u as (select * from t) select * from u
with u as (select * from t), t as (select 1) select * from u
select * from (with x as (select ssn from customers) select * from x) y
select (with x as (select ssn from customers) select max(ssn) from x)
select id from customers where ssn = all (select secret from app.users)
select id from customers c where (select count(*) from app.users u where u.secret = c.ssn) > 0
select id from customers order by (select secret from app.users limit 1)
select distinct on (ssn) id from customers
select id, rank() over w from customers window w as (order by ssn)
select case when ssn > '5' then 1 else 0 end from customers
select count(*) filter (where ssn > '5') from customers
select ssn from customers except select secret from app.users
select nextval('seq'), 'x' from customers
select payload from events_2024
select payload from events
select * from customers for share of customers
select current_query()
select pg_get_viewdef('active')
select * from pg_prepared_statements
select generate_series(1, length(ssn)) from customers
select a.b.c.d.e from customers
select id from customers where id = 1 and current_user = 'x'
update customers set id = 2 where current of c
select $1, $2 from customers where id = $3
select "ssn" from "public"."customers"
select U&"\0073sn" from customers
/* comment */ select ssn -- tail
select E'\x41' || ssn from customers
select ssn from customers; -- done
select ssn operator(pg_catalog.||) 'x' from customers

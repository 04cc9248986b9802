-- One statement a line: analysis and RowDescription must agree. Lines that begin with "18:" need PostgreSQL 18.
select * from customers
select c.* from customers c
select public.customers.* from public.customers
select id, name as n, email e from customers
select customers.email from customers
select public.customers.email from customers
select "postgres".public.customers.ssn from "postgres".public.customers
select c from customers c
select (c).* from customers c
select (c).ssn from customers c
select (c).ssn as x, (c).email from customers c
select c.ctid, c.tableoid, xmin from customers c
select 1
select 1, 'a', null, true, 1.5, -3
select 1 as one, 2 two
select
select distinct ssn from customers
select distinct on (email) id, ssn from customers order by email, id
select count(*) from customers
select count(ssn), max(email), min(name) from customers
select email, count(*) from customers group by email having count(*) > 1 order by 2 desc
select email as e from customers group by e
select id from customers order by ssn
select id from customers order by 1 limit 3 offset 1
select id as ssn from customers order by ssn
select c.name, o.total from customers c join orders o on o.customer_id = c.id
select * from customers c join orders o on o.customer_id = c.id
select * from customers c left join orders o using (id)
select * from customers join orders using (id)
select id, customers.id, orders.id from customers join orders using (id)
select * from customers natural join orders
select * from customers natural full join orders
select * from customers full join orders using (id)
select * from customers right join orders using (id)
select j.* from (customers join orders using (id)) j
select j.id, j.email from (customers c join orders o using (id)) as j
select u.* from customers join orders using (id) as u
select * from customers cross join orders
select * from customers, orders
select a.ssn, b.email from customers a, customers b where a.id = b.id
select * from (select id, ssn from customers) s
select s.x from (select ssn as x from customers) s
select s.a, s.b from (select ssn, email from customers) as s(a, b)
select * from (values (1, 'a'), (2, 'b')) v
select * from (values (1, 'a'), (2, 'b')) v(n, t)
values (1, 2), (3, 4)
table customers
table active
select * from active
select * from active2
select mail, ussn from active
select * from totals
select * from events
select shout from events_2024
select * from derived
select * from base
select a from only base
with x as (select * from customers) select * from x
with x(a, b) as (select id, ssn from customers) select b, a from x
with x as (select id, ssn from customers), y as (select ssn from x) select * from y
with customers as (select 1 as fake) select * from customers
with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select * from t
with recursive t as (select id, customer_id from orders union select o.id, o.customer_id from orders o join t on t.id = o.customer_id) select * from t
with recursive t(n, s) as (select id, ssn from customers where id = 1 union all select t.n + 1, t.s from t where n < 3) select s from t
with recursive t(a, b, c) as (select ssn, card, name from customers union all select b, c, a from t) select * from t
with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) search depth first by n set o select * from t
with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) cycle n set is_c using path select * from t
with d as (delete from orders where id = 1 returning *) select * from d
with u as (update customers set notes = 'x' where id = 1 returning id, ssn) select ssn from u
with i as (insert into orders(id) values (9) returning *) select i.id from i
select ssn from customers union select email from customers
select ssn as a from customers union all select email from customers
select id, ssn from customers intersect select id, email from customers
select id, ssn from customers except all select id, card from customers order by 2
(select id from customers order by ssn limit 1) union all (select id from orders)
select * from (select ssn from customers union all select card from customers) u
select (select ssn from customers limit 1)
select (select ssn as hidden from customers limit 1), array(select email from customers), exists(select 1 from customers)
select id, (select count(*) from orders o where o.customer_id = c.id) from customers c
select id in (select customer_id from orders) from customers
select id = any (select customer_id from orders) from customers
select id from customers where exists (select * from orders o where o.customer_id = customers.id)
select id from customers where id in (select customer_id from orders where total > 5)
select c.id, l.total from customers c, lateral (select total from orders o where o.customer_id = c.id) l
select c.id, l.* from customers c left join lateral (select o.total, c.ssn from orders o) l on true
select upper(ssn), lower(email) || name, substr(card, 1, 4) from customers
select ssn::text, email::text, id::text, email::varchar(3), name::varchar from customers
select cast(ssn as bytea) from customers
select coalesce(ssn, email), nullif(ssn, 'x'), greatest(ssn, email), least(id, 1) from customers
select case when ssn like '1%' then 'a' else 'b' end, case ssn when 'x' then email end from customers
select case when id = 1 then ssn else email end as v from customers
select row_to_json(c), to_jsonb(c), c::text from customers c
select row(c.*), row(id, ssn), (id, ssn) from customers c
select array[ssn, email], array_agg(ssn), string_agg(email, ',' order by ssn) from customers group by ssn, email
select json_agg(c) from customers c
select json_build_object('a', ssn), jsonb_object_agg(id, ssn) over () from customers
18:select json_object('a': ssn), 1 from customers
select data->'a', data->>'a', data #>> '{a}', tags[1], tags[1:2] from orders
select j.* from orders, jsonb_each(data) j
select key, value from orders, jsonb_each_text(orders.data)
select * from orders, jsonb_to_record(data) as r(a int, b text)
select * from jsonb_to_recordset('[{"a":1}]') as r(a int, b text)
select r.a from orders o, jsonb_to_record(o.data) r(a int)
select t from orders, unnest(tags) t
select t.* from orders, unnest(tags) with ordinality t
select t.tag, t.n from orders, unnest(tags) with ordinality as t(tag, n)
select * from unnest(array[1, 2], array['a', 'b'])
select * from unnest(array[1, 2], array['a', 'b']) as u(x, y)
select unnest(tags), id from orders
select * from generate_series(1, 3)
select * from generate_series(1, 3) g
select * from generate_series(1, 3) as g(i)
select g from generate_series(1, (select max(id) from customers)) g
select * from rows from (generate_series(1, 2), jsonb_each('{}')) with ordinality
select * from rows from (generate_series(1, 2), jsonb_each('{}')) as r(a, b, c)
select * from current_date
select * from two()
select (two()).*
select two()
select * from rowsof()
select r.ssn from rowsof() r
select (rowsof()).ssn
select spy(id) from customers
select * from spy(1)
select (p).x, (p).y, (pairs.p).* from pairs
select p from pairs
select * from pairs
select jsonb_populate_record(null::customers, '{}')
select * from jsonb_populate_record(null::customers, '{}')
select * from jsonb_populate_recordset(null::pair, '[]')
select (jsonb_populate_record(null::pair, '{}')).*
select * from unnest(array[row('a',1)::pair])
select * from unnest((select array_agg(c) from customers c))
select rank() over (order by ssn), row_number() over w from customers window w as (partition by email order by id)
select sum(total) over (partition by customer_id rows between 1 preceding and current row) from orders
select count(*) filter (where ssn like '1%') from customers
select percentile_cont(0.5) within group (order by total) from orders
select grouping(email), email, count(*) from customers group by rollup (email)
select email, name, count(*) from customers group by grouping sets ((email), (name), ())
select email, name from customers group by cube (email, name)
select current_user, session_user, current_date, now(), current_schema, localtime(2)
select customers.row_to_json from customers
select c.upper from (select 'x'::text as t) c(upper)
select customers.to_jsonb from customers
select text(ssn), int4('1') from customers
select email collate "C" from customers
select ssn is null, ssn is distinct from email, not (id = 1), id between 1 and 2 from customers
select id from customers where (id, ssn) in (select id, card from customers)
select id from customers where ssn like any (array['1%'])
select extract(year from created), created at time zone 'UTC', date_trunc('day', created) from customers
select position('a' in name), overlay(name placing 'x' from 1), trim(both from name), substring(name from 1 for 2) from customers
select xmlelement(name foo, ssn), xmlforest(ssn, email), xmlconcat(null, null) from customers
select * from xmltable('/r' passing ('<r/>'::xml) columns a text path 'a', n for ordinality) x
select x.a from customers, xmltable('/r' passing xmlparse(document ssn) columns a text) x
select * from customers tablesample bernoulli (10)
select * from customers c tablesample system (1) repeatable (2)
select id from customers for update
select * from pg_class
select relname, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
select * from information_schema.columns
select * from pg_stats
select query from pg_stat_activity
select * from pg_settings
select * from pg_stat_get_activity(null)
select * from pg_show_all_settings()
select pg_catalog.set_config('search_path', '', false)
select set_config(name, 'view', false) from pg_catalog.pg_settings where name = 'application_name'
select current_setting('search_path')
select last_value from seq
select * from seq
select nextval('seq'), currval('seq')
select digest(ssn, 'sha256'), crypt(ssn, gen_salt('bf')) from customers
select encode(digest(email, 'md5'), 'hex') as h from customers
select $1::int, $2::text
select * from customers where id = $1 and name = $2
select id from customers limit $1
insert into customers(id, name) values (100, 'x')
insert into customers(id, name) values (100, 'x') returning *
insert into customers(id, name, ssn) select id + 100, name, card from customers returning id, ssn as s
insert into customers as c (id, name) values (1, 'x') on conflict (id) do update set name = excluded.name || c.name where c.ssn <> 'x' returning c.*
insert into customers default values
insert into orders select * from orders returning id
update customers set name = ssn where id = 1 returning name, ssn, customers.*
update customers c set (name, notes) = (select o.status, o.status from orders o where o.customer_id = c.id) returning *
update customers c set notes = o.status from orders o where o.customer_id = c.id returning c.id, o.total
update customers c set notes = o.status from orders o where o.customer_id = c.id returning *
update orders set tags[1] = 'q', data = '{}' where id = 1
update pairs set p.x = 'a' where id = 2
delete from customers
delete from customers where id = 1 returning *
delete from customers c using orders o where o.customer_id = c.id returning c.ssn, o.id
merge into customers c using orders o on c.id = o.customer_id when matched and o.total > 5 then update set notes = o.status when not matched then insert (id, name) values (o.id, o.status)
18:merge into customers c using orders o on c.id = o.customer_id when matched then delete returning merge_action(), c.*, o.id
18:merge into customers c using orders o on c.id = o.customer_id when matched then delete returning *
18:update customers set name = 'x' returning old.ssn, new.name, *
18:delete from customers returning old.*, new.id
18:select * from json_table('[{"a":1}]'::jsonb, '$[*]' columns (n for ordinality, a int path '$.a', nested path '$.b[*]' columns (b text path '$')))
18:select json_value(data, '$.a'), json_query(data, '$.a'), json_exists(data, '$.a') from orders
18:select any_value(ssn) from customers
explain select * from customers
explain (analyze, format json) select id from customers where ssn = 'x'
show search_path
show all
show time zone
select * from (select * from (select c.*, o.total from customers c join orders o on true) q) r
select q.ssn from (select * from customers) q join (select * from orders) o on q.id = o.customer_id
select a.* , b.* from active a, lateral (select * from app.users where id = a.id) b
with a as materialized (select * from customers), b as not materialized (select a.ssn s, o.* from a join orders o on o.customer_id = a.id) select * from b
select max(x.ssn) over () as m, x.* from (select ssn, id from customers) x
select coalesce((select ssn from customers where id = 1), 'none') as z
select not exists (select from customers)
select id from customers group by id order by max(ssn)
select interval '1' day, date '2024-01-01', timestamp '2024-01-01', time '12:00'
select array(select row(ssn, id) from customers)
select (array_agg(c))[1] from customers c
select ((array_agg(c))[1]).ssn from customers c
select (select c from customers c limit 1).ssn
select (select c from customers c limit 1)
select ((select c from customers c limit 1)).*
select id, 'x' || id as "Mixed Name", 2 as "a.b" from customers
select ssn as "é" from customers
select tablefunc.* from normal_rand(1, 0, 1) tablefunc
select * from crosstab('select 1, 2, 3') as ct(a int, b int)
select distinct customers from customers
select c.id, (select array_agg(o.*) from orders o where o.customer_id = c.id) from customers c
select * from pg_ls_dir('.')
select * from pg_stat_file('x')
select oid::regclass, relname::text from pg_class
select 'customers'::regclass, 'x'::name
select * from (table customers) t
select * from ((customers c join orders o on true) join app.users u on true)
select * from customers c join (orders o join app.users u on u.id = o.id) on c.id = o.customer_id

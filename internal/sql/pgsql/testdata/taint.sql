-- Ways to carry a value elsewhere; TestTaint runs them.
select (select x from (select ssn as x) y) from customers
select v.* from customers c cross join lateral (values (c.ssn, 1), (c.email, 2)) v(a, b)
select x from customers c, lateral unnest(array[c.ssn, c.email]) x
select string_agg(x, '') from customers c, lateral regexp_split_to_table(c.ssn, '') x
select json_agg(r) from (select c.id, c from customers c) r
select (r).c.ssn from (select c from customers c) r
select (r.c).email, ((r).c).* from (select c from customers c) r
select x.v from (select row(c.*) v from customers c) x
select * from (select array_agg(c) a from customers c) q, unnest(q.a)
select u from (select array_agg(c) a from customers c) q, unnest(q.a) u
select (u).ssn from (select array_agg(c) a from customers c) q, unnest(q.a) u
select to_json(array(select c from customers c))
select jsonb_each_text(to_jsonb(c)) from customers c
select (jsonb_each_text(to_jsonb(c))).value from customers c
select e.value from customers c, jsonb_each_text(to_jsonb(c)) e
select e.* from customers c, jsonb_each_text(to_jsonb(c)) with ordinality e
select * from customers c, jsonb_to_record(to_jsonb(c)) as r(ssn text, email text)
select r.* from customers c, jsonb_populate_record(null::customers, to_jsonb(c)) r
select (jsonb_populate_record(null::customers, to_jsonb(c))).ssn from customers c
select xmlforest(ssn) from customers
select x.s from customers c, xmltable('/a' passing xmlelement(name a, c.ssn) columns s text path '.') x
select * from (select xmlagg(xmlelement(name e, ssn)) from customers) x
select coalesce(null, ssn) || '' from customers
select case id when 1 then ssn else email end from customers
select greatest(ssn, ''), least('zzz', ssn), nullif(ssn, '') from customers
select format('%s', c), concat(c), concat_ws('-', c.ssn, c.id) from customers c
select max(ssn) over (), lag(ssn) over (order by id), first_value(ssn) over w, array_agg(ssn) over w from customers window w as (order by id)
select mode() within group (order by ssn), percentile_disc(0.5) within group (order by email) from customers
select max(ssn) filter (where id = 1) from customers
select substring(ssn from '.*'), replace(ssn, 'x', ''), reverse(reverse(ssn)), quote_literal(ssn) from customers
select convert_from(ssn::bytea, 'utf8'), convert_from(decode(encode(ssn::bytea, 'hex'), 'hex'), 'utf8') from customers
select regexp_matches(ssn, '.*'), regexp_match(ssn, '(.*)'), regexp_replace(ssn, 'x', '') from customers
select ts_headline(ssn, to_tsquery('x')), to_tsvector('simple', ssn) from customers
with a as (select ssn s from customers), b as (select s from a union all select 'x'), c(z) as (select s || '' from b) select z from c
with recursive w(i, s) as (select 1, ssn from customers union all select i + 1, s from w where i < 3) select max(s) from w
with recursive w(a, b) as (select ssn, 'x' from customers union all select b, a from w where a <> 'x') select b from w
with recursive w(i, s) as (select id, ssn from customers union all select i + 10, s from w where i < 5) search breadth first by s set o select o from w
with recursive w(i, s) as (select id, ssn from customers union all select i + 10, s from w where i < 5) cycle s set c using p select p from w
with u as (update customers set notes = ssn returning *) select notes from u
with d as (delete from orders returning (select max(ssn) from customers)) select * from d
update customers set name = ssn returning name
update customers set (name, notes) = (select email, ssn) returning name, notes
update customers set (name, notes) = row(email, ssn) returning name || notes
insert into orders(id, status) select id + 50, ssn from customers returning status
insert into customers(id, name) select id, 'n' from customers on conflict (id) do update set name = customers.ssn returning name
insert into customers(id, name, notes) select id, ssn, 'n' from customers on conflict (id) do update set notes = excluded.name returning notes
delete from customers where id = 2 returning ssn, customers
delete from orders o using customers c where true returning c
select mail from active
select * from active2
select a from active a
select row_to_json(a) from active a
select j from (customers join orders using (id)) j
select j.ssn from (customers join orders using (id)) as j(a, b, c, ssn)
select a.ssn from customers as a(id, ssn, email, name)
select s.* from (select * from customers) s(a, b, c, d)
select c.* from (select id, ssn as email, email as ssn from customers) c
select email from (select id, ssn as email from customers) c
select c.email, d.ssn from customers c join (select id, email as ssn from customers) d using (id)
select id, ssn from customers union select id, email from customers
select 'x', ssn from customers union all select email, 'y' from customers
(select ssn from customers limit 1) union all (select status from orders) order by 1
select * from (values ((select ssn from customers limit 1))) v
select unnest(array(select ssn from customers))
select array_to_string(array_agg(c.ssn), ',') from customers c
select string_agg(c::text, ';') from customers c
select customers from customers
select customers.customers from (select customers from customers) customers
select c.to_json from customers c
select to_json(c.*) from customers c
select row(c.*, 1) from customers c
select json_build_object('k', c) -> 'k' ->> 'ssn' from customers c
select (to_jsonb(c) -> 'ssn')::text, to_jsonb(c) #>> '{email}', jsonb_path_query_first(to_jsonb(c), '$.card') from customers c
select hstore from (select c::text hstore from customers c) x
select rowsof()
select r.email from rowsof() r
select (rowsof()).*
select * from rowsof() with ordinality
select * from rows from (rowsof(), generate_series(1, 2)) x
select spy(1)
select query_to_xml('select ssn from customers', true, true, '')
select table_to_xml('customers', true, true, '')
select current_setting('a.b') from (select set_config('a.b', ssn, true) from customers) x
select set_config('a.b', ssn, true) from customers
select most_common_vals from pg_stats where tablename = 'customers'
select * from two(), customers
select t.*, c.ssn from two() t, customers c
select c.ssn, k.* from customers c, (select * from jsonb_each('{"a":1}')) k
select g, c.ssn from generate_series(1, 2) g, customers c
select * from generate_series(1, 2) with ordinality, customers
select * from unnest(array[1, 2], array[3, 4]) u, customers
select * from unnest('{a,b}'::text[]) u, customers
select * from unnest(to_tsvector('simple', 'a b')), customers
select * from unnest(to_tsvector('simple', 'a') || to_tsvector('simple', 'b')), customers
select * from json_each('{"a":1}') a, json_array_elements('[1]') b, customers c
select * from regexp_matches('abc', 'b'), customers
select * from pg_timezone_names() limit 1
select p.*, c.ssn from pairs p, customers c
select (p.p).*, c.ssn from (select row('a', 1)::pair as p) p, customers c
select * from current_user, customers
select * from xmltable('/a' passing xmlparse(document '<a/>') columns a text, b text) x, customers
select * from normal_rand(1, 0, 1), customers
select * from crosstab('select id, id, ssn from customers') as ct(a int, b text)
select * from pg_ls_waldir(), customers
select (string_to_array(ssn, 'x'))[1] from customers
select array[ssn] || array[email], (array[ssn, email])[1:1] from customers
select ssn as "Select", email as "*" from customers
select overlay(ssn placing '' from 1 for 0), left(ssn, 20), lpad(ssn, 20) from customers
select (with z as (select c.ssn) select ssn from z) from customers c
select exists(select 1), (select array_agg(x) from (select c.ssn union all select c.email) q(x)) from customers c
select c.ssn from customers c where c.ctid = any (array(select ctid from customers))
select distinct on (id) id, ssn from customers order by id, email
select max(s) from (select distinct ssn s from customers group by rollup (ssn)) x
select * from customers c natural join (select id, email as other from customers) d
select * from customers c natural left join customers d
select * from (select id from customers) a left join customers b using (id) right join customers c using (id)
select x.id, ssn from (customers full join orders using (id)) x
select x.* from customers c join orders o using (id) as x
select n.* from (select c, 1 one from customers c) n
select (n).* from (select c, 1 one from customers c) n
select (n.c).*, n.one from (select c, 1 one from customers c) n
explain (verbose) select * from customers where ssn = '111-22-3333'

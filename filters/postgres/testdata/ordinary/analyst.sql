SELECT * FROM customers LIMIT 10;
SELECT id, name FROM customers ORDER BY name LIMIT 20;
SELECT count(*) FROM customers;
SELECT count(*) AS n FROM orders WHERE placed_at >= '2026-06-01';
SELECT name, email FROM customers WHERE id = 42;
SELECT c.name, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.name ORDER BY 2 DESC LIMIT 5;
SELECT item, sum(quantity) FROM orders GROUP BY item ORDER BY sum(quantity) DESC;
SELECT item, avg(amount)::numeric(10,2) FROM orders GROUP BY 1;
SELECT date_trunc('month', placed_at) AS month, sum(amount) FROM orders GROUP BY 1 ORDER BY 1;
SELECT extract(dow FROM placed_at) d, count(*) FROM orders GROUP BY d ORDER BY d;
SELECT * FROM orders WHERE amount BETWEEN 10 AND 20 ORDER BY amount, id;
SELECT * FROM orders WHERE item IN ('lamp', 'rug') LIMIT 5;
SELECT * FROM orders WHERE item LIKE 'k%' LIMIT 5;
SELECT * FROM orders WHERE item ILIKE 'K%' AND quantity > 2 LIMIT 5;
SELECT DISTINCT item FROM orders ORDER BY item;
SELECT DISTINCT ON (item) item, amount FROM orders ORDER BY item, amount DESC;
SELECT max(amount), min(amount), stddev(amount) FROM orders;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM orders;
SELECT item, count(*) FILTER (WHERE quantity > 3) AS big FROM orders GROUP BY item;
SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id LIMIT 10;
SELECT o.id, c.email FROM orders o JOIN customers c ON o.customer_id = c.id WHERE o.amount > 300 LIMIT 10;
SELECT c.* FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.amount > 300) LIMIT 5;
SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE item = 'lamp') LIMIT 10;
SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders) LIMIT 10;
WITH big AS (SELECT * FROM orders WHERE amount > 200) SELECT customer_id, count(*) FROM big GROUP BY 1 ORDER BY 2 DESC LIMIT 5;
WITH t AS (SELECT customer_id, sum(amount) s FROM orders GROUP BY 1) SELECT c.name, t.s FROM t JOIN customers c ON c.id = t.customer_id ORDER BY t.s DESC LIMIT 10;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n;
SELECT g, (SELECT count(*) FROM orders WHERE quantity = g) FROM generate_series(1, 5) g;
SELECT customer_id, amount, rank() OVER (PARTITION BY item ORDER BY amount DESC) FROM orders LIMIT 10;
SELECT placed_at, amount, sum(amount) OVER (ORDER BY placed_at, id) FROM orders LIMIT 10;
SELECT item, lag(amount) OVER (ORDER BY id) FROM orders LIMIT 10;
SELECT id, ntile(4) OVER (ORDER BY amount) FROM orders LIMIT 10;
SELECT * FROM customer_totals WHERE total > 500 LIMIT 5;
SELECT name, orders, total FROM customer_totals ORDER BY total DESC LIMIT 5;
SELECT avg(total) FROM customer_totals;
SELECT 'orders' AS what, count(*) FROM orders UNION ALL SELECT 'customers', count(*) FROM customers;
SELECT item FROM orders WHERE quantity = 1 INTERSECT SELECT item FROM orders WHERE quantity = 5;
SELECT id FROM customers EXCEPT SELECT customer_id FROM orders ORDER BY 1 LIMIT 5;
SELECT CASE WHEN amount > 100 THEN 'large' ELSE 'small' END AS size, count(*) FROM orders GROUP BY 1;
SELECT coalesce(notes, 'none') FROM customers LIMIT 5;
SELECT upper(name), length(name) FROM customers LIMIT 5;
SELECT name || ' (' || id || ')' FROM customers LIMIT 5;
SELECT split_part(name, ' ', 1) AS first, count(*) FROM customers GROUP BY 1 ORDER BY 2 DESC;
SELECT substring(name from 1 for 3) FROM customers LIMIT 3;
SELECT regexp_replace(name, ' .*', '') FROM customers LIMIT 3;
SELECT to_char(placed_at, 'YYYY-MM') m, count(*) FROM orders GROUP BY m ORDER BY m;
SELECT round(amount * 1.19, 2) AS gross FROM orders LIMIT 5;
SELECT string_agg(DISTINCT item, ', ' ORDER BY item) FROM orders;
SELECT array_agg(item ORDER BY id) FROM orders WHERE customer_id = 7;
SELECT json_agg(o) FROM (SELECT id, item FROM orders LIMIT 3) o;
SELECT json_build_object('item', item, 'n', count(*)) FROM orders GROUP BY item;
SELECT row_to_json(o) FROM orders o LIMIT 2;
SELECT jsonb_object_agg(item, n) FROM (SELECT item, count(*) n FROM orders GROUP BY item) t;
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, label);
VALUES (1), (2), (3);
TABLE orders LIMIT 3;
SELECT now(), current_date, current_timestamp - interval '1 day';
SELECT current_user, current_database(), version();
SELECT 1;
SELECT;
SELECT 1 + 1 AS two, 'text' AS t, NULL AS n, true AS b;
SELECT pg_size_pretty(pg_total_relation_size('orders'));
SELECT pg_typeof(amount) FROM orders LIMIT 1;
SELECT generate_series(date '2026-01-01', date '2026-01-05', interval '1 day')::date;
SELECT d.day, count(o.id) FROM generate_series('2026-01-01'::date, '2026-01-07', '1 day') AS d(day) LEFT JOIN orders o ON o.placed_at::date = d.day GROUP BY 1 ORDER BY 1;
SELECT * FROM orders TABLESAMPLE BERNOULLI (1) LIMIT 5;
SELECT o.id, l.name FROM orders o, LATERAL (SELECT name FROM customers c WHERE c.id = o.customer_id) l LIMIT 5;
SELECT a.id, b.id FROM orders a JOIN orders b ON a.customer_id = b.customer_id AND a.id < b.id LIMIT 5;
SELECT * FROM customers c FULL JOIN orders o ON o.customer_id = c.id ORDER BY o.id LIMIT 5;
SELECT item, quantity, sum(amount) FROM orders GROUP BY GROUPING SETS ((item), (quantity), ()) ORDER BY 1, 2;
SELECT item, quantity, count(*) FROM orders GROUP BY CUBE (item, quantity) LIMIT 10;
SELECT item, sum(amount) FROM orders GROUP BY ROLLUP (item) HAVING sum(amount) > 100 ORDER BY 2;
SELECT * FROM orders ORDER BY placed_at DESC NULLS LAST FETCH FIRST 5 ROWS ONLY;
SELECT * FROM orders OFFSET 10 LIMIT 5;
SELECT greatest(quantity, 3), least(amount, 10) FROM orders LIMIT 3;
SELECT nullif(item, 'lamp') FROM orders LIMIT 3;
SELECT amount::int, quantity::text FROM orders LIMIT 3;
SELECT customer_id % 10 AS bucket, count(*) FROM orders GROUP BY bucket ORDER BY bucket;
SELECT width_bucket(amount, 0, 500, 5) b, count(*) FROM orders GROUP BY b ORDER BY b;
SELECT corr(quantity, amount), regr_slope(amount, quantity) FROM orders;
SELECT md5(name) FROM customers LIMIT 2;
SELECT name FROM customers WHERE name ~ '^A' ORDER BY 1 LIMIT 3;
SELECT name FROM customers WHERE notes IS NOT NULL AND notes LIKE '%rug%' LIMIT 3;
SELECT count(DISTINCT customer_id) FROM orders;
SELECT bool_or(quantity > 4), bool_and(quantity > 0), every(amount > 0) FROM orders;
SELECT (SELECT name FROM customers WHERE id = o.customer_id) FROM orders o LIMIT 3;
SELECT ROW(id, item) FROM orders LIMIT 2;
SELECT ARRAY[1, 2, 3] || 4, array_length(ARRAY[1, 2], 1);
SELECT unnest(ARRAY['a', 'b', 'c']);
SELECT id FROM orders WHERE (customer_id, item) IN (SELECT customer_id, item FROM orders GROUP BY 1, 2 HAVING count(*) > 1) LIMIT 5;
EXPLAIN SELECT * FROM orders WHERE customer_id = 1;
EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM orders;
SHOW server_version;
SET timezone = 'UTC'; SELECT placed_at FROM orders LIMIT 1;
BEGIN; SELECT count(*) FROM orders; COMMIT;
BEGIN READ ONLY; SELECT 1; ROLLBACK;
PREPARE q AS SELECT count(*) FROM orders WHERE quantity > $1; EXECUTE q(2); DEALLOCATE q;
BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders; FETCH 5 FROM c; CLOSE c; COMMIT;
COPY (SELECT item, count(*) FROM orders GROUP BY item) TO STDOUT WITH CSV HEADER;
COPY orders TO STDOUT;
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public';
SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'customers';
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
SELECT email FROM customers ORDER BY id LIMIT 5;
SELECT id, ssn, card FROM customers WHERE name LIKE 'Ada%' LIMIT 5;
SELECT count(email) FROM customers;
\d
\d orders
\d customers
\dt
\dv
\dn
\df
\dx
\du
\dT
\d customer_totals

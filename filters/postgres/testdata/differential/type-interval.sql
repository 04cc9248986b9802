SET timezone = 'UTC';
CREATE TABLE t (id int, v interval, d interval DEFAULT '1 day 2 hours');
INSERT INTO t (id, v) VALUES (1, '1 day 2 hours'), (2, '-3 mons'), (3, '1.5 s'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '1 day 2 hours'::interval AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::interval AS p \bind '-3 mons' \g
SELECT 'not a value ((('::interval;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (interval) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('1 day 2 hours');

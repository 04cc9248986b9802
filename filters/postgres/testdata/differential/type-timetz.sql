SET timezone = 'UTC';
CREATE TABLE t (id int, v timetz, d timetz DEFAULT '12:00+02');
INSERT INTO t (id, v) VALUES (1, '12:00+02'), (2, '00:00-11:30'), (3, '23:59:59Z'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '12:00+02'::timetz AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::timetz AS p \bind '00:00-11:30' \g
SELECT 'not a value ((('::timetz;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (timetz) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('12:00+02');

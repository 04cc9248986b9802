SET timezone = 'UTC';
CREATE TABLE t (id int, v inet, d inet DEFAULT '10.0.0.1');
INSERT INTO t (id, v) VALUES (1, '10.0.0.1'), (2, '10.0.0.0/8'), (3, '::1'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '10.0.0.1'::inet AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::inet AS p \bind '10.0.0.0/8' \g
SELECT 'not a value ((('::inet;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (inet) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('10.0.0.1');

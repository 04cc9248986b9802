SET timezone = 'UTC';
CREATE TABLE t (id int, v int4, d int4 DEFAULT 0);
INSERT INTO t (id, v) VALUES (1, 0), (2, 2147483647), (3, -1), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 0::int4 AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int4 AS p \bind '2147483647' \g
SELECT 'not a value ((('::int4;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int4) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(0);

SET timezone = 'UTC';
CREATE TABLE t (id int, v int8, d int8 DEFAULT 9223372036854775807);
INSERT INTO t (id, v) VALUES (1, 9223372036854775807), (2, -5), (3, 0), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 9223372036854775807::int8 AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int8 AS p \bind '-5' \g
SELECT 'not a value ((('::int8;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int8) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(9223372036854775807);

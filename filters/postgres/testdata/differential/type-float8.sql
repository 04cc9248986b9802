SET timezone = 'UTC';
CREATE TABLE t (id int, v float8, d float8 DEFAULT 0.1);
INSERT INTO t (id, v) VALUES (1, 0.1), (2, '-Infinity'), (3, 1e300), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 0.1::float8 AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::float8 AS p \bind '-Infinity' \g
SELECT 'not a value ((('::float8;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (float8) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(0.1);

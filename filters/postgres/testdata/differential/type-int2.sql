SET timezone = 'UTC';
CREATE TABLE t (id int, v int2, d int2 DEFAULT 1);
INSERT INTO t (id, v) VALUES (1, 1), (2, -32768), (3, '7'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 1::int2 AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int2 AS p \bind '-32768' \g
SELECT 'not a value ((('::int2;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int2) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(1);

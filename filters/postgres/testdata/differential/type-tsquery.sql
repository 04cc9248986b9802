SET timezone = 'UTC';
CREATE TABLE t (id int, v tsquery, d tsquery DEFAULT 'a & b');
INSERT INTO t (id, v) VALUES (1, 'a & b'), (2, '!c'), (3, 'd <-> e'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'a & b'::tsquery AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::tsquery AS p \bind '!c' \g
SELECT 'not a value ((('::tsquery;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (tsquery) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('a & b');

SET timezone = 'UTC';
CREATE TABLE t (id int, v bool, d bool DEFAULT true);
INSERT INTO t (id, v) VALUES (1, true), (2, false), (3, 't'), (4, 'off'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT true::bool AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::bool AS p \bind 'false' \g
SELECT 'not a value ((('::bool;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (bool) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(true);

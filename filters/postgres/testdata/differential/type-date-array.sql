SET timezone = 'UTC';
CREATE TABLE t (id int, v date[], d date[] DEFAULT '{2024-01-01}');
INSERT INTO t (id, v) VALUES (1, '{2024-01-01}'), (2, '{}'), (3, '{NULL}'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '{2024-01-01}'::date[] AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::date[] AS p \bind '{}' \g
SELECT 'not a value ((('::date[];
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (date[]) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('{2024-01-01}');

SET timezone = 'UTC';
CREATE TABLE t (id int, v refcursor, d refcursor DEFAULT 'c');
INSERT INTO t (id, v) VALUES (1, 'c'), (2, 'd'), (3, ''), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'c'::refcursor AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::refcursor AS p \bind 'd' \g
SELECT 'not a value ((('::refcursor;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (refcursor) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('c');

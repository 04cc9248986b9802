SET timezone = 'UTC';
CREATE TABLE t (id int, v regclass, d regclass DEFAULT 'pg_class');
INSERT INTO t (id, v) VALUES (1, 'pg_class'), (2, 'pg_type'), (3, 0), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'pg_class'::regclass AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::regclass AS p \bind 'pg_type' \g
SELECT 'not a value ((('::regclass;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (regclass) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('pg_class');

SET timezone = 'UTC';
CREATE TABLE t (id int, v regtype, d regtype DEFAULT 'int4');
INSERT INTO t (id, v) VALUES (1, 'int4'), (2, 'text[]'), (3, 'bool'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'int4'::regtype AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::regtype AS p \bind 'text[]' \g
SELECT 'not a value ((('::regtype;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (regtype) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('int4');

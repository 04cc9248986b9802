SET timezone = 'UTC';
CREATE TABLE t (id int, v int8range, d int8range DEFAULT '[1,5]');
INSERT INTO t (id, v) VALUES (1, '[1,5]'), (2, '(1,2)'), (3, '[,]'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '[1,5]'::int8range AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int8range AS p \bind '(1,2)' \g
SELECT 'not a value ((('::int8range;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int8range) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('[1,5]');

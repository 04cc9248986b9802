SET timezone = 'UTC';
CREATE TABLE t (id int, v numrange, d numrange DEFAULT '[1.5,2.5)');
INSERT INTO t (id, v) VALUES (1, '[1.5,2.5)'), (2, 'empty'), (3, '(,)'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '[1.5,2.5)'::numrange AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::numrange AS p \bind 'empty' \g
SELECT 'not a value ((('::numrange;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (numrange) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('[1.5,2.5)');

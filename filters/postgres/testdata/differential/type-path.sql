SET timezone = 'UTC';
CREATE TABLE t (id int, v path, d path DEFAULT '[(0,0),(1,1)]');
INSERT INTO t (id, v) VALUES (1, '[(0,0),(1,1)]'), (2, '((0,0),(1,1))'), (3, '[(1,2)]'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '[(0,0),(1,1)]'::path AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::path AS p \bind '((0,0),(1,1))' \g
SELECT 'not a value ((('::path;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (path) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('[(0,0),(1,1)]');

SET timezone = 'UTC';
CREATE TABLE t (id int, v box, d box DEFAULT '((0,0),(1,1))');
INSERT INTO t (id, v) VALUES (1, '((0,0),(1,1))'), (2, '(2,2),(1,1)'), (3, '((0,0),(0,0))'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '((0,0),(1,1))'::box AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::box AS p \bind '(2,2),(1,1)' \g
SELECT 'not a value ((('::box;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (box) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('((0,0),(1,1))');

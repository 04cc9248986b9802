SET timezone = 'UTC';
CREATE TABLE t (id int, v point, d point DEFAULT '(1,2)');
INSERT INTO t (id, v) VALUES (1, '(1,2)'), (2, '(-1.5,0)'), (3, '(0,0)'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '(1,2)'::point AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::point AS p \bind '(-1.5,0)' \g
SELECT 'not a value ((('::point;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (point) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('(1,2)');

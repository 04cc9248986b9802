SET timezone = 'UTC';
CREATE TABLE t (id int, v int[], d int[] DEFAULT '{1,2,3}');
INSERT INTO t (id, v) VALUES (1, '{1,2,3}'), (2, '{}'), (3, '{{1,2},{3,NULL}}'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '{1,2,3}'::int[] AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int[] AS p \bind '{}' \g
SELECT 'not a value ((('::int[];
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int[]) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('{1,2,3}');

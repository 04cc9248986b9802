SET timezone = 'UTC';
CREATE TABLE t (id int, v int4multirange, d int4multirange DEFAULT '{[1,2),[3,4)}');
INSERT INTO t (id, v) VALUES (1, '{[1,2),[3,4)}'), (2, '{}'), (3, '{[1,9)}'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '{[1,2),[3,4)}'::int4multirange AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::int4multirange AS p \bind '{}' \g
SELECT 'not a value ((('::int4multirange;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (int4multirange) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('{[1,2),[3,4)}');

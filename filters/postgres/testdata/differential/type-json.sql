SET timezone = 'UTC';
CREATE TABLE t (id int, v json, d json DEFAULT '{"a": 1}');
INSERT INTO t (id, v) VALUES (1, '{"a": 1}'), (2, '[1, 2]'), (3, '"s"'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '{"a": 1}'::json AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::json AS p \bind '[1, 2]' \g
SELECT 'not a value ((('::json;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (json) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('{"a": 1}');

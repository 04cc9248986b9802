SET timezone = 'UTC';
CREATE TABLE t (id int, v jsonpath, d jsonpath DEFAULT '$.a');
INSERT INTO t (id, v) VALUES (1, '$.a'), (2, '$[*] ? (@ > 1)'), (3, 'strict $'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '$.a'::jsonpath AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::jsonpath AS p \bind '$[*] ? (@ > 1)' \g
SELECT 'not a value ((('::jsonpath;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (jsonpath) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('$.a');

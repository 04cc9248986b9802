SET timezone = 'UTC';
CREATE TABLE t (id int, v text[], d text[] DEFAULT '{a,"b c",NULL}');
INSERT INTO t (id, v) VALUES (1, '{a,"b c",NULL}'), (2, '{}'), (3, '{"q\"q"}'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '{a,"b c",NULL}'::text[] AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::text[] AS p \bind '{}' \g
SELECT 'not a value ((('::text[];
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (text[]) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('{a,"b c",NULL}');

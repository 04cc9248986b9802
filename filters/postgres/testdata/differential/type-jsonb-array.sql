SET timezone = 'UTC';
CREATE TABLE t (id int, v jsonb[], d jsonb[] DEFAULT ARRAY['{"a":1}'::jsonb]);
INSERT INTO t (id, v) VALUES (1, ARRAY['{"a":1}'::jsonb]), (2, '{}'), (3, ARRAY[NULL::jsonb]), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT ARRAY['{"a":1}'::jsonb]::jsonb[] AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::jsonb[] AS p \bind '{}' \g
SELECT 'not a value ((('::jsonb[];
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (jsonb[]) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(ARRAY['{"a":1}'::jsonb]);

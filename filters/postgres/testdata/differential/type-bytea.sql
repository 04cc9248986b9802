SET timezone = 'UTC';
CREATE TABLE t (id int, v bytea, d bytea DEFAULT '\x00ff');
INSERT INTO t (id, v) VALUES (1, '\x00ff'), (2, 'abc'), (3, ''), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '\x00ff'::bytea AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::bytea AS p \bind 'abc' \g
SELECT 'not a value ((('::bytea;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (bytea) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('\x00ff');

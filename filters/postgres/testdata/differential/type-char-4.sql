SET timezone = 'UTC';
CREATE TABLE t (id int, v char(4), d char(4) DEFAULT 'a');
INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'abcd'), (3, ''), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'a'::char(4) AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::char(4) AS p \bind 'abcd' \g
SELECT 'not a value ((('::char(4);
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (char(4)) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('a');

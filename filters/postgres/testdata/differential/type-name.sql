SET timezone = 'UTC';
CREATE TABLE t (id int, v name, d name DEFAULT 'n');
INSERT INTO t (id, v) VALUES (1, 'n'), (2, 'long name'), (3, 'x'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'n'::name AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::name AS p \bind 'long name' \g
SELECT 'not a value ((('::name;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (name) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('n');

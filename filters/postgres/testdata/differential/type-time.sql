SET timezone = 'UTC';
CREATE TABLE t (id int, v time, d time DEFAULT '12:34:56.789');
INSERT INTO t (id, v) VALUES (1, '12:34:56.789'), (2, '24:00'), (3, '00:00'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '12:34:56.789'::time AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::time AS p \bind '24:00' \g
SELECT 'not a value ((('::time;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (time) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('12:34:56.789');

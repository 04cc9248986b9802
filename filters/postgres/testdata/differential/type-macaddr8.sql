SET timezone = 'UTC';
CREATE TABLE t (id int, v macaddr8, d macaddr8 DEFAULT '08:00:2b:01:02:03:04:05');
INSERT INTO t (id, v) VALUES (1, '08:00:2b:01:02:03:04:05'), (2, '08002b0102030405'), (3, '00:00:00:00:00:00:00:00'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '08:00:2b:01:02:03:04:05'::macaddr8 AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::macaddr8 AS p \bind '08002b0102030405' \g
SELECT 'not a value ((('::macaddr8;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (macaddr8) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('08:00:2b:01:02:03:04:05');

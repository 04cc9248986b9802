SET timezone = 'UTC';
CREATE TABLE t (id int, v timestamp, d timestamp DEFAULT '2024-01-01 01:02:03.456789');
INSERT INTO t (id, v) VALUES (1, '2024-01-01 01:02:03.456789'), (2, '-infinity'), (3, '1999-12-31'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '2024-01-01 01:02:03.456789'::timestamp AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::timestamp AS p \bind '-infinity' \g
SELECT 'not a value ((('::timestamp;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (timestamp) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('2024-01-01 01:02:03.456789');

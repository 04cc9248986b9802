SET timezone = 'UTC';
CREATE TABLE t (id int, v timestamptz, d timestamptz DEFAULT '2024-01-01 00:00+00');
INSERT INTO t (id, v) VALUES (1, '2024-01-01 00:00+00'), (2, '2024-07-01 12:00 Asia/Tokyo'), (3, 'infinity'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '2024-01-01 00:00+00'::timestamptz AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::timestamptz AS p \bind '2024-07-01 12:00 Asia/Tokyo' \g
SELECT 'not a value ((('::timestamptz;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (timestamptz) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('2024-01-01 00:00+00');

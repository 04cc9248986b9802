SET timezone = 'UTC';
CREATE TABLE t (id int, v pg_lsn, d pg_lsn DEFAULT '0/0');
INSERT INTO t (id, v) VALUES (1, '0/0'), (2, '16/B374D848'), (3, 'FF/1'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '0/0'::pg_lsn AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::pg_lsn AS p \bind '16/B374D848' \g
SELECT 'not a value ((('::pg_lsn;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (pg_lsn) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('0/0');

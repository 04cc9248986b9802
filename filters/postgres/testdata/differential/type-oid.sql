SET timezone = 'UTC';
CREATE TABLE t (id int, v oid, d oid DEFAULT 0);
INSERT INTO t (id, v) VALUES (1, 0), (2, 4294967295), (3, '17'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 0::oid AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::oid AS p \bind '4294967295' \g
SELECT 'not a value ((('::oid;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (oid) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(0);

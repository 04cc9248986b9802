SET timezone = 'UTC';
CREATE TABLE t (id int, v numeric, d numeric DEFAULT 123.4500);
INSERT INTO t (id, v) VALUES (1, 123.4500), (2, 'NaN'), (3, -0.00001), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 123.4500::numeric AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::numeric AS p \bind 'NaN' \g
SELECT 'not a value ((('::numeric;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (numeric) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(123.4500);

SET timezone = 'UTC';
CREATE TABLE t (id int, v numeric(6,2), d numeric(6,2) DEFAULT 1.005);
INSERT INTO t (id, v) VALUES (1, 1.005), (2, 9999.99), (3, -1), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 1.005::numeric(6,2) AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::numeric(6,2) AS p \bind '9999.99' \g
SELECT 'not a value ((('::numeric(6,2);
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (numeric(6,2)) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p(1.005);

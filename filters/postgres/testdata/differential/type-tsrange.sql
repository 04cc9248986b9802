SET timezone = 'UTC';
CREATE TABLE t (id int, v tsrange, d tsrange DEFAULT '[2024-01-01,2024-01-02)');
INSERT INTO t (id, v) VALUES (1, '[2024-01-01,2024-01-02)'), (2, 'empty'), (3, '(,)'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '[2024-01-01,2024-01-02)'::tsrange AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::tsrange AS p \bind 'empty' \g
SELECT 'not a value ((('::tsrange;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (tsrange) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('[2024-01-01,2024-01-02)');

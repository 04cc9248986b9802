SET timezone = 'UTC';
CREATE TABLE t (id int, v varchar(5), d varchar(5) DEFAULT 'abc');
INSERT INTO t (id, v) VALUES (1, 'abc'), (2, 'exact'), (3, ''), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT 'abc'::varchar(5) AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::varchar(5) AS p \bind 'exact' \g
SELECT 'not a value ((('::varchar(5);
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (varchar(5)) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('abc');

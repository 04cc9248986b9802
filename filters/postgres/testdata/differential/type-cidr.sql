SET timezone = 'UTC';
CREATE TABLE t (id int, v cidr, d cidr DEFAULT '10.0.0.0/8');
INSERT INTO t (id, v) VALUES (1, '10.0.0.0/8'), (2, '2001:db8::/32'), (3, '192.168.1.0/24'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '10.0.0.0/8'::cidr AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::cidr AS p \bind '2001:db8::/32' \g
SELECT 'not a value ((('::cidr;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (cidr) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('10.0.0.0/8');

SET timezone = 'UTC';
CREATE TABLE t (id int, v circle, d circle DEFAULT '<(0,0),1>');
INSERT INTO t (id, v) VALUES (1, '<(0,0),1>'), (2, '<(1,1),0>'), (3, '((1,2),3)'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '<(0,0),1>'::circle AS lit, ARRAY[v]::text FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::circle AS p \bind '<(1,1),0>' \g
SELECT 'not a value ((('::circle;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (circle) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('<(0,0),1>');

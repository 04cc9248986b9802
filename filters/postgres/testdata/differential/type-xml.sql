SET timezone = 'UTC';
CREATE TABLE t (id int, v xml, d xml DEFAULT '<a/>');
INSERT INTO t (id, v) VALUES (1, '<a/>'), (2, '<b>t</b>'), (3, 'text'), (9, NULL);
SELECT * FROM t ORDER BY id;
SELECT id, v IS NULL, v::text, pg_typeof(v) FROM t ORDER BY id;
SELECT '<a/>'::xml AS lit;
COPY t TO STDOUT;
COPY t (v) TO STDOUT WITH (FORMAT csv);
SELECT $1::xml AS p \bind '<b>t</b>' \g
SELECT 'not a value ((('::xml;
UPDATE t SET v = d WHERE id = 9 RETURNING *;
SELECT to_json(v), row_to_json(t) FROM t ORDER BY id;
PREPARE p (xml) AS INSERT INTO t (id, v) VALUES (10, $1) RETURNING v;
EXECUTE p('<a/>');

CREATE TABLE t (a int, b text);
INSERT INTO t VALUES (1, 'x'), (2, 'y');
UPDATE t SET a = a + 1;
UPDATE t SET (a, b) = (SELECT 9, 'z') WHERE a = 2 RETURNING *;
UPDATE t SET b = s.v FROM (VALUES (3, 'joined')) s(k, v) WHERE t.a = s.k RETURNING t.*;
UPDATE t SET b = DEFAULT;
SELECT * FROM t ORDER BY a;

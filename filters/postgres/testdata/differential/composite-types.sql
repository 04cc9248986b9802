CREATE TYPE pair AS (a int, b text);
SELECT ROW(1, 'x')::pair, (ROW(1, 'y')::pair).b, NULL::pair, ROW(NULL, NULL)::pair IS NULL;
CREATE TABLE t (p pair);
INSERT INTO t VALUES (ROW(1, 'it''s')), ('(2,"q,""x")');
SELECT p, (p).a, (p).* FROM t ORDER BY 2;
SELECT t FROM t ORDER BY 1;

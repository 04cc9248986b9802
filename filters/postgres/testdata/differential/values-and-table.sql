VALUES (1, 'one'), (2, 'two');
CREATE TABLE t AS VALUES (1), (2);
TABLE t;
SELECT * FROM (VALUES (1, 2)) AS v(a, b);

CREATE TABLE t (a int, b text);
COPY t FROM STDIN WITH (FORMAT csv, HEADER);
a,b
1,"quoted, with ""quotes"" and
newline"
2,
3,""
\.
SELECT a, b, b IS NULL FROM t ORDER BY a;

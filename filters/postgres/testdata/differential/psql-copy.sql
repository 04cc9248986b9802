CREATE TABLE t (a int, b text);
\copy t FROM STDIN CSV
1,x
2,y
\.
\copy t TO STDOUT
\copy (SELECT b FROM t ORDER BY a) TO STDOUT CSV HEADER

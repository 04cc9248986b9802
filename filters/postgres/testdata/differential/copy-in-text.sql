CREATE TABLE t (a int, b text, c timestamp);
COPY t FROM STDIN;
1	one	2024-01-01 00:00:00
2	\N	\N
3	tab\there\nnewline\\	2024-01-02
\.
SELECT * FROM t ORDER BY a;

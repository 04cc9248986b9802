CREATE TABLE t (a int, b text);
COPY t FROM STDIN;
1	a	extra
\.
COPY t FROM STDIN;
notanumber	x
\.
COPY t FROM STDIN;
1
\.
SELECT count(*) FROM t;
COPY nowhere FROM STDIN;
COPY t (nosuch) FROM STDIN;

CREATE TABLE a (x jsonb, y int[]); CREATE TABLE b (LIKE a);
INSERT INTO a VALUES ('{"k": "v\\t"}', '{1,NULL,3}');
COPY a TO STDOUT;
COPY b FROM STDIN;
{"k": "v\\\\t"}	{1,NULL,3}
\.
SELECT * FROM b;

CREATE TABLE t (a int PRIMARY KEY, b text NOT NULL DEFAULT 'x'); CREATE VIEW v AS SELECT 1 one;
\d t
\d v
\dt
\dv
\d nosuch
\df nosuch

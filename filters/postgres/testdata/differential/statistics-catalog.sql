CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g % 3 FROM generate_series(1, 100) g;
CREATE STATISTICS st ON a, b FROM t; ANALYZE t;
SELECT attname, n_distinct FROM pg_stats WHERE tablename = 't' ORDER BY 1;
SELECT reltuples FROM pg_class WHERE relname = 't';

CREATE TABLE t (a int);
PREPARE i(int) AS INSERT INTO t VALUES ($1) RETURNING a;
EXECUTE i(1); EXECUTE i(2);
EXPLAIN (COSTS OFF) EXECUTE i(3);
SELECT name, parameter_types FROM pg_prepared_statements;

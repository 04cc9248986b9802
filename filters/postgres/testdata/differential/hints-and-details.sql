SELECT lenght('x'); SELECT 1 + 'a'::text; SELECT * FROM pg_clas; SELECT relnam FROM pg_class; CREATE TABLE t (a int, a int);

CREATE TABLE t (a int);
LOCK TABLE t;
BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass; COMMIT;
SELECT * FROM t FOR UPDATE SKIP LOCKED; SELECT * FROM t FOR SHARE NOWAIT;
SELECT pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1);

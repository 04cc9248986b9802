\set ON_ERROR_ROLLBACK on
BEGIN; SELECT 1/0; SELECT 'still here'; COMMIT;
\set ON_ERROR_STOP on
SELECT 1/0;
SELECT 'not reached';

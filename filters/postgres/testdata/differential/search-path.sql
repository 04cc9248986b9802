CREATE SCHEMA s1; CREATE SCHEMA s2;
CREATE TABLE s1.t AS SELECT 's1' AS w; CREATE TABLE s2.t AS SELECT 's2' AS w;
SELECT * FROM t;
SET search_path = s1, s2; SELECT * FROM t; SHOW search_path;
SET search_path = s2; SELECT * FROM t;
BEGIN; SET LOCAL search_path = s1; SELECT * FROM t; COMMIT; SELECT * FROM t;
RESET search_path; SELECT * FROM t;
SELECT set_config('search_path', 's1', false); SELECT * FROM t;

CREATE ROLE diff_r NOLOGIN;
CREATE TABLE t (a int);
SET ROLE diff_r; SELECT current_user; SELECT * FROM t;
RESET ROLE; SELECT current_user = session_user;
SET SESSION AUTHORIZATION diff_r; SELECT session_user; CREATE TABLE x (a int);
RESET SESSION AUTHORIZATION;
DROP ROLE diff_r;

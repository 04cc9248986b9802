CREATE ROLE diff_rls NOLOGIN;
CREATE TABLE t (owner text, v int); INSERT INTO t VALUES ('diff_rls', 1), ('else', 2);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (owner = current_user);
GRANT SELECT, INSERT ON t TO diff_rls;
SET ROLE diff_rls; SELECT * FROM t; INSERT INTO t VALUES ('else', 3); RESET ROLE;
DROP OWNED BY diff_rls; DROP ROLE diff_rls;

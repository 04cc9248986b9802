CREATE TABLE t (a int); COMMENT ON TABLE t IS 'it''s'; SELECT obj_description('t'::regclass);
CREATE ROLE diff_g; GRANT SELECT (a) ON t TO diff_g; REVOKE ALL ON t FROM diff_g;
GRANT nosuch TO diff_g; DROP ROLE diff_g;

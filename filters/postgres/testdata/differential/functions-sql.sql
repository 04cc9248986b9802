CREATE FUNCTION add(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
SELECT add(1), add(1, 5), add(b => 1, a => 9);
SELECT add('x');
CREATE FUNCTION rows() RETURNS TABLE (n int, s text) LANGUAGE sql AS $$ VALUES (1, 'a'), (2, 'b') $$;
SELECT * FROM rows(); SELECT rows();
DROP FUNCTION add(int, int);

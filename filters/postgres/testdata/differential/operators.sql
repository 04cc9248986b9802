CREATE FUNCTION opf(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 10 + $2';
CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = opf);
SELECT 1 <+> 2, 1 OPERATOR(public.<+>) 2;
SELECT 1 <-> 2;

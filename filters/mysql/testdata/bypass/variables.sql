-- set-subquery block
SET @a = (SELECT ssn FROM customers WHERE id=1);
-- assign block
SELECT @a := ssn FROM customers WHERE id=1;
-- assign-where block
SELECT id FROM customers WHERE (@a := ssn) IS NOT NULL;
-- assign-in-order block
SELECT id FROM customers ORDER BY (@a := ssn);
-- into block
SELECT ssn INTO @a FROM customers WHERE id=1;
-- into-trailing block
SELECT ssn FROM customers WHERE id=1 INTO @a;
-- last-insert-id block
SELECT LAST_INSERT_ID(REPLACE(ssn,'-','')) FROM customers WHERE id=1;
-- update-last-insert-id block
UPDATE orders SET total = LAST_INSERT_ID((SELECT REPLACE(ssn,'-','') FROM customers WHERE id=1)) WHERE id=1;
-- get-lock block
SELECT GET_LOCK(ssn, 0) FROM customers WHERE id=1;
-- session-variable block
SET SESSION group_concat_max_len = (SELECT REPLACE(ssn,'-','') FROM customers WHERE id=1);
-- insert-id block
SET @@insert_id = (SELECT REPLACE(ssn,'-','') FROM customers WHERE id=1);
-- time-zone block
SET time_zone = (SELECT ssn FROM customers WHERE id=1);
-- do block
DO (SELECT @x := ssn FROM customers WHERE id=1);
-- execute-using block
PREPARE s FROM 'SELECT ?';
SET @a = (SELECT ssn FROM customers WHERE id=1);
EXECUTE s USING @a;
SELECT ssn FROM customers WHERE ssn = '219-09-8731';
-- multiple-assign block
SELECT @a := ssn, @b := card FROM customers WHERE id=1;
-- assign-nested block
SELECT CONCAT(@a := ssn, '') FROM customers WHERE id=1;
-- assign-if block
SELECT IF(@a := ssn, 1, 1) FROM customers WHERE id=1;
-- assign-having block
SELECT id FROM customers HAVING (@a := (SELECT ssn FROM customers WHERE id=1)) IS NOT NULL;
-- assign-limit block
SELECT @a := @b := ssn FROM customers LIMIT 1;
-- set-multiple block
SET @x = 1, @y = (SELECT GROUP_CONCAT(ssn) FROM customers);
-- set-expression block
SET @x = CONCAT((SELECT email FROM customers WHERE id=1), '');
-- update-assign block
UPDATE orders SET note = (@a := (SELECT ssn FROM customers WHERE id=1)) WHERE id=1;
-- into-two block
SELECT ssn, card FROM customers WHERE id=1 INTO @a, @b;
-- quoted-variable block
SELECT @`a b` := ssn FROM customers WHERE id=1;
-- variable-in-message block
SET @a = (SELECT ssn FROM customers WHERE id=1); SELECT @a;
-- system-variable-read safe
SELECT @@version, @@datadir, @@secure_file_priv;
-- set-init-connect block
SET GLOBAL init_connect = 'SELECT 1';
-- set-local-infile block
SET GLOBAL local_infile = 1;
-- debug safe
SET SESSION debug = 'd:t:o,/tmp/trace';
-- set-timestamp block
SET timestamp = (SELECT LEFT(REPLACE(ssn, '-', ''), 9) FROM customers WHERE id=1);

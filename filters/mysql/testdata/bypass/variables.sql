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

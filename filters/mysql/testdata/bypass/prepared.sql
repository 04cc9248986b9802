-- literal mask
PREPARE s FROM 'SELECT ssn FROM customers WHERE id=1';
EXECUTE s;
-- variable block
SET @q = 'SELECT ssn FROM customers';
PREPARE s FROM @q;
-- concat-variable block
SET @q = CONCAT('SEL', 'ECT ssn FROM customers');
PREPARE s FROM @q;
-- where block
PREPARE s FROM 'SELECT id FROM customers WHERE ssn LIKE ''219%''';
-- using block
PREPARE s FROM 'SELECT id FROM customers WHERE ssn = ?';
-- comment-inside block
PREPARE s FROM 'SELECT name /*!50000 , ssn */ FROM customers';
-- immediate block
EXECUTE IMMEDIATE 'SELECT ssn FROM customers';
-- immediate-variable block
EXECUTE IMMEDIATE CONCAT('SELECT ssn FROM custo', 'mers');
-- redefine mask
PREPARE s FROM 'SELECT 1';
PREPARE s FROM 'SELECT ssn FROM customers WHERE id=1';
EXECUTE s;
-- unknown-name block
EXECUTE never_prepared;
-- view-swap block
PREPARE s FROM 'SELECT ssn FROM customers WHERE ssn > 1';
-- hex-string block
PREPARE s FROM 0x53454c4543542073736e2046524f4d20637573746f6d657273;
-- outfile block
PREPARE s FROM 'SELECT 1 INTO OUTFILE ''/tmp/dragoman-never''';
-- name-quoted mask
PREPARE `s` FROM 'SELECT ssn FROM customers WHERE id=1';
EXECUTE `s`;
-- name-case mask
PREPARE Stmt1 FROM 'SELECT ssn FROM customers WHERE id=1';
EXECUTE sTMT1;
-- execute-probe block
SET @a = '219%';
PREPARE s FROM 'SELECT id FROM customers WHERE ssn LIKE ?';
EXECUTE s USING @a;
-- execute-file block
SET @f = '/etc/passwd';
PREPARE s FROM 'SELECT LOAD_FILE(?)';
EXECUTE s USING @f;
-- versioned block
PREPARE s FROM '/*!50000 SELECT */ ssn FROM customers WHERE id=1';
-- deallocate-run block
PREPARE s FROM 'SELECT 1';
DEALLOCATE PREPARE s;
EXECUTE s;
-- redefine-message mask
PREPARE s FROM 'SELECT 1'; PREPARE s FROM 'SELECT ssn FROM customers WHERE id=1'; EXECUTE s;
-- multi-prepare-execute mask
PREPARE s FROM 'SELECT ssn FROM customers WHERE id=1'; EXECUTE s;
-- nested safe
PREPARE s FROM 'PREPARE t FROM ''SELECT ssn FROM customers''';
-- multi-in-prepare block
PREPARE s FROM 'SELECT 1; SELECT ssn FROM customers';
-- select-into block
PREPARE s FROM 'SELECT ssn INTO @a FROM customers LIMIT 1';
-- call block
PREPARE s FROM 'CALL dump()';
-- using-expression block
PREPARE s FROM 'SELECT ?';
EXECUTE s USING (SELECT ssn FROM customers WHERE id=1);

-- versioned-all mask
SELECT id, /*!50000 ssn, */ name FROM customers WHERE id=1;
-- versioned-bare mask
SELECT /*! ssn */ FROM customers WHERE id=1;
-- versioned-where block
SELECT id FROM customers /*!50000 WHERE ssn LIKE '219%' */;
-- versioned-union mask
SELECT 1 /*!UNION ALL SELECT ssn FROM customers*/;
-- versioned-future safe
SELECT name /*!99999 , ssn */ FROM customers WHERE id=1;
-- mariadb-comment safe
SELECT name /*M! , ssn */ FROM customers WHERE id=1;
-- mariadb-version safe
SELECT name /*M!100000 , ssn */ FROM customers WHERE id=1;
-- nested safe
SELECT name /*!50000 /* x */ , ssn */ FROM customers WHERE id=1;
-- split-keyword block
SEL/**/ECT ssn FROM customers;
-- hidden-into block
SELECT ssn FROM customers /*!INTO OUTFILE '/tmp/dragoman-never'*/;
-- tidb-comment safe
SELECT name /*T! , ssn */ FROM customers WHERE id=1;
-- hint-set-var safe
SELECT /*+ SET_VAR(sql_mode='ANSI_QUOTES') */ "ssn" FROM customers WHERE id=1;
-- hint-comment mask
SELECT /*+ MAX_EXECUTION_TIME(1000) */ ssn FROM customers WHERE id=1;
-- dash-no-space mask
SELECT 1--1, ssn FROM customers WHERE id=1;
-- hash-newline mask
SELECT name # , 1
, ssn FROM customers WHERE id=1;
-- unclosed block
SELECT ssn FROM customers /*!50000;
-- versioned-six-digits mask
SELECT id, /*!050000 ssn, */ name FROM customers WHERE id=1;
-- versioned-no-space mask
SELECT id,/*!50000ssn,*/name FROM customers WHERE id=1;
-- versioned-split safe
SELECT /*!50000 s*//*!50000 sn */ FROM customers WHERE id=1;
-- versioned-in-string mask
SELECT '/*!50000', ssn, '*/' FROM customers WHERE id=1;
-- versioned-quote safe
SELECT '/*!50000 ' , /*!50000 ssn, ' */ name FROM customers WHERE id=1;
-- versioned-comment-end safe
SELECT name /*!50000 -- */
, ssn FROM customers WHERE id=1;
-- versioned-from mask
SELECT ssn /*!FROM*/ customers WHERE id=1;
-- versioned-set block
UPDATE orders SET /*!50000 note = (SELECT ssn FROM customers WHERE id=1), */ total = 1 WHERE id=1;
-- mariadb-where safe
SELECT id FROM customers /*M!100000 WHERE ssn LIKE '219%' */;
-- mariadb-future safe
SELECT name /*M!999999 , ssn */ FROM customers WHERE id=1;
-- versioned-semicolon block
SELECT 1 /*!50000 ; DROP TABLE orders */;
-- dash-tab mask
SELECT 1 --	x
, ssn FROM customers WHERE id=1;
-- dash-control safe
SELECT 1 --x
, ssn FROM customers WHERE id=1;
-- hint-subquery safe
SELECT /*+ SET_VAR(max_execution_time=(SELECT 1)) */ ssn FROM customers WHERE id=1;
-- hint-unclosed block
SELECT /*+ MAX_EXECUTION_TIME(1000) ssn FROM customers;
-- comment-in-name safe
SELECT customers/**/./**/ssn FROM customers WHERE id=1;
-- prefix-forged mask
/*dragoman ses_00000000000000000000000000 user:root */ SELECT ssn FROM customers WHERE id=1;

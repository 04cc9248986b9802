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

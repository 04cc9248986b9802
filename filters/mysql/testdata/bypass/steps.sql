-- setval safe
CREATE SEQUENCE sq1;
SELECT SETVAL(sq1, CAST(REPLACE(ssn,'-','') AS UNSIGNED)) FROM customers WHERE id=1;
SELECT NEXTVAL(sq1);
-- rand-seed block
SET rand_seed1 = (SELECT CAST(REPLACE(ssn,'-','') AS UNSIGNED) FROM customers WHERE id=1);
-- view-where safe
CREATE VIEW low1 AS SELECT id, name FROM customers WHERE ssn LIKE '219%';
SELECT name AS found219 FROM low1;
-- view-order safe
CREATE VIEW sorted1 AS SELECT id FROM customers ORDER BY ssn;
SELECT id FROM sorted1;
-- view-computed safe
CREATE VIEW hit1 AS SELECT id, LEFT(ssn,11) AS hit FROM customers;
SELECT hit FROM hit1;
-- view-union safe
CREATE VIEW u1 AS SELECT name AS v FROM customers UNION ALL SELECT ssn FROM customers;
SELECT v FROM u1;
-- view-cte safe
CREATE VIEW w1 AS WITH c(v) AS (SELECT ssn FROM customers) SELECT v FROM c;
SELECT v FROM w1;
-- view-new-message safe
CREATE VIEW m1 AS SELECT ssn AS v FROM customers; SELECT v FROM m1;
-- view-replaced-message safe
CREATE OR REPLACE VIEW m2 AS SELECT name AS v FROM customers; CREATE OR REPLACE VIEW m2 AS SELECT ssn AS v FROM customers; SELECT v FROM m2;
-- view-replaced safe
CREATE OR REPLACE VIEW m3 AS SELECT name AS v FROM customers;
SELECT v FROM m3;
CREATE OR REPLACE VIEW m3 AS SELECT ssn AS v FROM customers;
SELECT v FROM m3;
-- prepared-over-view safe
CREATE OR REPLACE VIEW m4 AS SELECT name AS v FROM customers;
PREPARE p FROM 'SELECT v FROM m4';
EXECUTE p;
CREATE OR REPLACE VIEW m4 AS SELECT card AS v FROM customers;
EXECUTE p;
-- temporary-shadow-message safe
CREATE TEMPORARY TABLE customers (id INT, ssn CHAR(11)); DROP TEMPORARY TABLE customers; SELECT ssn FROM customers;
-- temporary-shadow safe
CREATE TEMPORARY TABLE customers (id INT, ssn CHAR(11));
SELECT ssn FROM customers;
DROP TEMPORARY TABLE customers;
SELECT ssn FROM customers;
-- temporary-shadow-renamed safe
CREATE TEMPORARY TABLE customers (id INT, name CHAR(11));
ALTER TABLE customers RENAME TO others;
SELECT name, id FROM corpus.customers WHERE id=1;
SELECT * FROM customers WHERE id=1;
-- temporary-rolled-back safe
START TRANSACTION;
CREATE TEMPORARY TABLE customers (id INT, ssn CHAR(11));
ROLLBACK;
SELECT ssn FROM customers WHERE id=1;
-- temporary-like block
CREATE TEMPORARY TABLE copy1 LIKE customers;
INSERT INTO copy1 SELECT * FROM customers;
-- temporary-computed safe
CREATE TEMPORARY TABLE copy2 AS SELECT CONCAT(ssn,'') AS x FROM customers;
SELECT x FROM copy2;
-- exchange block
ALTER TABLE customers EXCHANGE PARTITION p0 WITH TABLE notes;
-- modify-type safe
ALTER TABLE customers MODIFY ssn INT;
SHOW WARNINGS;
-- modify-length safe
ALTER TABLE customers MODIFY card CHAR(3);
SHOW ERRORS;
-- expression-index safe
CREATE UNIQUE INDEX ux1 ON customers ((LEFT(ssn,0)));
-- insert-order block
INSERT INTO notes (body) SELECT name FROM customers ORDER BY ssn;
-- insert-where block
INSERT INTO notes (body) SELECT name FROM customers WHERE ssn LIKE '219%';
-- create-where block
CREATE TABLE found1 AS SELECT name FROM customers WHERE ssn LIKE '219%';
-- delete-join block
DELETE n FROM notes n JOIN customers c ON c.ssn LIKE '2%' AND n.id = c.id WHERE n.id > 0;
-- delete-using block
DELETE FROM n USING notes n, customers c WHERE n.id = c.id AND c.ssn LIKE '2%';
-- update-order block
UPDATE orders SET note='x' WHERE id=1 ORDER BY (SELECT ssn FROM customers WHERE id=1) LIMIT 1;
-- delete-order block
DELETE FROM orders WHERE id=1 ORDER BY (SELECT ssn FROM customers WHERE id=1) LIMIT 1;
-- update-cte block
UPDATE orders SET note=(WITH c AS (SELECT ssn v FROM customers WHERE id=1) SELECT v FROM c) WHERE id=1;
-- found-rows block
SELECT SQL_CALC_FOUND_ROWS name FROM customers WHERE ssn LIKE '219%';
-- natural-derived block
SELECT c.id FROM customers c NATURAL JOIN (SELECT '219-09-8731' AS ssn) g;
-- recursive-length block
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM r WHERE n < (SELECT ORD(ssn) FROM customers WHERE id=1)) SELECT MAX(n) FROM r;
-- recursive-spell safe
WITH RECURSIVE r(n,c) AS (SELECT 1, SUBSTR(ssn,1,1) FROM customers WHERE id=1 UNION ALL SELECT n+1, (SELECT SUBSTR(ssn,n+1,1) FROM customers WHERE id=1) FROM r WHERE n < 11) SELECT c FROM r;
-- recursive-spell-joined safe
WITH RECURSIVE r(n,c) AS (SELECT 0, CAST('' AS CHAR(50)) UNION ALL SELECT n+1, CONCAT(c,(SELECT SUBSTR(ssn,n+1,1) FROM customers WHERE id=1)) FROM r WHERE n < 11) SELECT c FROM r WHERE n=11;
-- use-shadow safe
CREATE DATABASE IF NOT EXISTS shadow;
USE shadow;
CREATE TABLE IF NOT EXISTS customers (id INT, ssn CHAR(11));
USE corpus;
SELECT ssn FROM customers WHERE id=1;
-- use-prepared safe
PREPARE p FROM 'SELECT ssn FROM customers WHERE id=1';
USE shadow;
EXECUTE p;
-- use-in-prepared safe
PREPARE p FROM 'USE shadow';
EXECUTE p;
SELECT ssn FROM customers;
-- mode-prepared safe
PREPARE p FROM 'SET sql_mode=''ANSI_QUOTES''';
EXECUTE p;
SELECT "ssn", 'x' FROM customers WHERE id=1;
-- mode-prepared-message block
PREPARE p FROM 'SET sql_mode=''ANSI_QUOTES'''; EXECUTE p; SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- mode-prepared-before-message block
PREPARE p FROM 'SET sql_mode=''ANSI_QUOTES''';
EXECUTE p; SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- mode-immediate-message block
EXECUTE IMMEDIATE 'SET sql_mode=''ANSI_QUOTES'''; SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- mode-failed safe
SET sql_mode='ANSI_QUOTES', @a=(SELECT 1 UNION SELECT 2);
SELECT id, 'failed' FROM customers WHERE "ssn" LIKE '2%';
-- mode-failed-message block
SET sql_mode='ANSI_QUOTES', @a=(SELECT 1 UNION SELECT 2); SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- charset-failed block
SET character_set_client=gbk, @a=(SELECT 1 UNION SELECT 2);
SELECT '縧, id FROM customers WHERE ssn LIKE 0x3225 -- ';
-- mode-failed-later safe
SET sql_mode='ANSI_QUOTES', wait_timeout='x';
SELECT id, 'later' FROM customers WHERE "ssn" LIKE '2%';
-- mode-in-transaction block
START TRANSACTION;
SET sql_mode='ANSI_QUOTES';
SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- mode-default block
SET sql_mode='ANSI_QUOTES';
SET sql_mode=DEFAULT;
SET @@sql_mode := 'ANSI_QUOTES';
SELECT id FROM customers WHERE "ssn" LIKE '2%';
-- charset-prepared block
PREPARE p FROM 'SET NAMES gbk';
EXECUTE p;
SELECT '縧, id FROM customers WHERE ssn LIKE 0x3225 -- ';
-- group-concat-order block
SELECT GROUP_CONCAT(id ORDER BY ssn) FROM customers;
-- count-or-null block
SELECT COUNT(ssn LIKE '219%' OR NULL) FROM customers;
-- count-nullif block
SELECT COUNT(NULLIF(ssn,'219-09-8731')) FROM customers;
-- count-distinct block
SELECT COUNT(DISTINCT ssn) FROM customers;
-- sum-boolean block
SELECT SUM(ssn = '219-09-8731') FROM customers;
-- bit-and block
SELECT BIT_AND(REPLACE(ssn,'-','')) FROM customers WHERE id=1;
-- stddev block
SELECT STDDEV(REPLACE(ssn,'-','')), VAR_POP(REPLACE(ssn,'-','')) FROM customers;
-- greatest block
SELECT GREATEST(ssn,'000'), LEAST(ssn,'999-99-9999') FROM customers WHERE id=1;
-- rlike-where block
SELECT id FROM customers WHERE ssn RLIKE '^219';
-- regexp-instr-where block
SELECT id FROM customers WHERE REGEXP_INSTR(ssn,'^219') = 1;
-- sounds-like block
SELECT id FROM customers WHERE email SOUNDS LIKE 'canaryperson@example.com';
-- find-in-set-where block
SELECT id FROM customers WHERE FIND_IN_SET(ssn,'219-09-8731,987-65-4321');
-- strcmp-where block
SELECT id FROM customers WHERE STRCMP(ssn,'219-09-8731') = 0;
-- not-exists block
SELECT 1 FROM orders WHERE NOT EXISTS (SELECT 1 FROM customers c WHERE c.ssn LIKE '3%');
-- member-of block
SELECT id FROM customers WHERE ssn MEMBER OF ('["219-09-8731"]');
-- json-overlaps block
SELECT id FROM customers WHERE JSON_OVERLAPS(JSON_ARRAY(ssn),'["219-09-8731"]');
-- row-compare block
SELECT id FROM customers WHERE (id,ssn) > (1,'218');
-- join-table-lateral safe
SELECT j.v FROM customers c JOIN JSON_TABLE(JSON_ARRAY(c.ssn), '$[*]' COLUMNS (v VARCHAR(20) PATH '$')) j WHERE c.id=1;
-- join-table-nested safe
SELECT j.v FROM JSON_TABLE((SELECT JSON_ARRAYAGG(JSON_OBJECT('s',ssn)) FROM customers), '$[*]' COLUMNS (NESTED PATH '$.s' COLUMNS (v VARCHAR(20) PATH '$'))) j;
-- dynamic-column safe
SELECT COLUMN_JSON(COLUMN_CREATE('a', ssn)) FROM customers WHERE id=1;
-- dynamic-column-get safe
SELECT COLUMN_GET(COLUMN_CREATE('a', ssn), 'a' AS CHAR) FROM customers WHERE id=1;
-- oracle-decode safe
SELECT DECODE_ORACLE(id, 1, ssn, NULL), NVL(ssn,''), NVL2(ssn,ssn,1), LPAD(ssn,20,'x') FROM customers WHERE id=1;
-- oracle-outer-join safe
SET sql_mode='ORACLE';
SELECT c.ssn FROM customers c, orders o WHERE c.id = o.customer_id(+);
-- oracle-rownum safe
SELECT ROWNUM(), ssn FROM customers WHERE ROWNUM() < 2;
-- kill-expression block
KILL (SELECT REPLACE(ssn,'-','') FROM customers WHERE id=1);
-- sequence-default safe
CREATE TABLE seqd (id INT, v BIGINT DEFAULT (NEXTVAL(sq1)));
INSERT INTO seqd (id) VALUES (1);
SELECT v FROM seqd;
-- check-clause safe
ALTER TABLE customers ADD CONSTRAINT ck1 CHECK (ssn NOT LIKE '219%');
-- default-column safe
INSERT INTO notes (body) VALUES ((SELECT DEFAULT(ssn) FROM customers LIMIT 1));
-- insert-self-column safe
INSERT INTO customers (id,name,ssn) VALUES (901,'x','219'),(902,ssn,'2');
-- load-table-function safe
SELECT * FROM customers FOR SYSTEM_TIME ALL WHERE id=1;
-- session-track safe
SET session_track_system_variables='*';
SET @@session.timestamp=(SELECT CAST(REPLACE(ssn,'-','') AS UNSIGNED) FROM customers WHERE id=1);
SELECT UNIX_TIMESTAMP();
-- nul-byte safe
SELECT id, ssn FROM customers WHERE id=1 
;
-- show-errors-after safe
SELECT EXTRACTVALUE(1,CONCAT(0x7e,(SELECT ssn FROM customers WHERE id=1)));
SHOW ERRORS LIMIT 1;
-- partition-selection block
SELECT id FROM customers PARTITION (p0) WHERE ssn LIKE '2%';
-- into-variable-late block
SELECT ssn FROM customers WHERE id=1 LIMIT 1 INTO @late;
-- variable-as-limit safe
SET @n = (SELECT LENGTH(ssn) FROM customers WHERE id=1);
PREPARE p FROM 'SELECT id FROM orders LIMIT ?';
EXECUTE p USING @n;
-- with-ties safe
SELECT id FROM customers ORDER BY ssn FETCH FIRST 1 ROWS WITH TIES;
-- table-elimination safe
SELECT o.id FROM orders o LEFT JOIN customers c ON c.id=o.customer_id AND c.ssn='219-09-8731' WHERE c.id IS NULL;

-- handler-open block
HANDLER customers OPEN;
-- handler-read block
HANDLER customers READ FIRST;
-- handler-read-index block
HANDLER customers READ ssn = ('219-09-8731');
-- call block
CALL dump();
-- function block
SELECT first_ssn();
-- function-arg block
SELECT shout(ssn) FROM customers WHERE id=1;
-- function-qualified block
SELECT corpus.first_ssn();
-- create-procedure block
CREATE PROCEDURE p9() SELECT ssn FROM customers;
-- create-function block
CREATE FUNCTION f9() RETURNS CHAR(11) READS SQL DATA RETURN (SELECT ssn FROM customers WHERE id=1);
-- create-trigger block
CREATE TRIGGER t9 BEFORE INSERT ON notes FOR EACH ROW SET NEW.body = (SELECT ssn FROM customers WHERE id=1);
-- create-event block
CREATE EVENT e9 ON SCHEDULE EVERY 1 DAY DO INSERT INTO notes (body) SELECT ssn FROM customers;
-- compound block
BEGIN NOT ATOMIC SELECT ssn FROM customers; END;
-- analyse block
SELECT ssn FROM customers PROCEDURE ANALYSE();
-- signal block
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'x';
-- table-statement mask
TABLE customers;
-- values-statement safe
VALUES ROW((SELECT ssn FROM customers WHERE id=1));
-- returning safe
DELETE FROM customers WHERE id=99 RETURNING ssn;
-- insert-returning safe
INSERT INTO notes (body) VALUES ('x') RETURNING (SELECT ssn FROM customers WHERE id=1);
-- returning-upsert safe
INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 1 RETURNING ssn, CONCAT(email, ''), card AS harmless, customers.*;
-- returning-two-lists safe
INSERT INTO notes (body) VALUES ('x') RETURNING id FROM customers UNION SELECT ssn;
-- set-statement block
SET STATEMENT sql_mode='' FOR SELECT ssn FROM customers;
-- analyze-statement block
ANALYZE FORMAT=JSON SELECT * FROM customers WHERE ssn='219-09-8731';
-- explain block
EXPLAIN SELECT ssn FROM customers WHERE id=1;
-- explain-extended block
EXPLAIN EXTENDED SELECT ssn FROM customers WHERE id=1;
SHOW WARNINGS;
-- explain-json block
EXPLAIN FORMAT=JSON SELECT * FROM customers WHERE ssn LIKE '219%';
-- explain-view block
EXPLAIN SELECT number FROM contacts WHERE id=1;
-- xa block
XA RECOVER;
-- kill-other block
KILL 1;
-- shutdown block
SHUTDOWN;
-- flush block
FLUSH TABLES WITH READ LOCK;
-- grant block
GRANT ALL ON *.* TO 'mallory'@'%' IDENTIFIED BY 'x';
-- create-user block
CREATE USER mallory IDENTIFIED BY 'x';
-- set-password block
SET PASSWORD = 'x';
-- set-role block
SET ROLE ALL;
-- set-global block
SET GLOBAL general_log_file = '/tmp/x.php';
-- binlog block
BINLOG 'AAAA';
-- change-master block
CHANGE MASTER TO MASTER_HOST='127.0.0.1';
-- checksum block
CHECKSUM TABLE customers;
-- histogram safe
ANALYZE TABLE customers UPDATE HISTOGRAM ON ssn WITH 10 BUCKETS;
-- handler-alias block
HANDLER corpus.customers OPEN AS h;
-- handler-close block
HANDLER customers CLOSE;
-- call-qualified block
CALL corpus.dump;
-- alter-view block
ALTER VIEW contacts AS SELECT id, email AS mail, ssn AS number FROM customers WHERE ssn LIKE '2%';
-- alter-event block
ALTER EVENT e9 DO SELECT 1;
-- create-aggregate block
CREATE AGGREGATE FUNCTION a9(x INT) RETURNS INT BEGIN RETURN 1; END;
-- create-package block
CREATE PACKAGE p9 AS FUNCTION f() RETURN INT; END;
-- create-server block
CREATE SERVER s9 FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1', USER 'root');
-- create-sequence safe
CREATE SEQUENCE s9;
-- do-sleep-probe block
DO IF((SELECT ssn FROM customers WHERE id=1) LIKE '2%', SLEEP(0.1), 0);
-- help safe
HELP 'contents';
-- execute-immediate-into block
EXECUTE IMMEDIATE 'SELECT ssn INTO @a FROM customers LIMIT 1';
-- start-transaction-snapshot safe
START TRANSACTION WITH CONSISTENT SNAPSHOT;
-- select-lock mask
SELECT ssn FROM customers WHERE id=1 FOR UPDATE;
-- explain-analyze block
EXPLAIN ANALYZE SELECT id FROM customers WHERE ssn LIKE '219%';
-- explain-update block
EXPLAIN UPDATE customers SET name='x' WHERE ssn LIKE '219%';
-- explain-for-connection block
EXPLAIN FOR CONNECTION 1;
-- show-explain block
SHOW EXPLAIN FOR 1;
-- describe-select block
DESC SELECT ssn FROM customers WHERE id=1;
-- insert-select-duplicate block
INSERT INTO guesses SELECT ssn FROM customers ON DUPLICATE KEY UPDATE g = CONCAT(g, 'x');
-- duplicate-key-error block
INSERT INTO guesses (g) VALUES ((SELECT ssn FROM customers WHERE id=1)), ((SELECT ssn FROM customers WHERE id=1));
-- alter-primary-error block
ALTER TABLE customers ADD UNIQUE KEY (ssn);
-- partition-by safe
ALTER TABLE customers PARTITION BY KEY (ssn);
-- system-versioned safe
SELECT ssn FROM customers FOR SYSTEM_TIME ALL WHERE id=1;
-- lateral-probe block
SELECT o.id FROM orders o, LATERAL (SELECT ssn FROM customers c WHERE c.ssn LIKE '2%') AS d;
-- window-rank block
SELECT id, RANK() OVER (ORDER BY ssn) FROM customers;
-- window-partition block
SELECT id, COUNT(*) OVER (PARTITION BY ssn) FROM customers;
-- window-named block
SELECT id, ROW_NUMBER() OVER w FROM customers WINDOW w AS (ORDER BY ssn);
-- window-first-value safe
SELECT FIRST_VALUE(ssn) OVER (ORDER BY id) FROM customers;
-- window-ntile block
SELECT NTILE(2) OVER (ORDER BY ssn DESC) FROM customers;
-- cte-probe block
WITH c AS (SELECT id, ssn FROM customers) SELECT id FROM c WHERE ssn LIKE '219%';
-- cte-nested mask
WITH a AS (SELECT ssn AS x FROM customers), b AS (SELECT x AS y FROM a) SELECT y FROM b;
-- cte-union mask
WITH a AS (SELECT name FROM customers UNION ALL SELECT ssn FROM customers) SELECT name FROM a;
-- cte-update block
WITH a AS (SELECT id FROM customers WHERE ssn LIKE '2%') SELECT * FROM orders WHERE customer_id IN (SELECT id FROM a);
-- cte-recursive-probe block
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT ASCII(ssn) FROM customers WHERE id=1)) SELECT COUNT(*) FROM r;
-- rollup block
SELECT ssn, COUNT(*) FROM customers GROUP BY ssn WITH ROLLUP;
-- derived-deep mask
SELECT z FROM (SELECT y AS z FROM (SELECT x AS y FROM (SELECT ssn AS x FROM customers) AS a) AS b) AS c;
-- derived-union mask
SELECT x FROM (SELECT name AS x FROM customers UNION ALL SELECT card FROM customers) AS d;
-- intersect block
SELECT '219-09-8731' INTERSECT SELECT ssn FROM customers;
-- exists-correlated block
SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer_id AND c.ssn LIKE '2%');
-- any-subquery block
SELECT '219-09-8731' = ANY (SELECT ssn FROM customers);
-- case-probe block
SELECT CASE WHEN ssn LIKE '2%' THEN 1 ELSE 0 END FROM customers;
-- cast-signed block
SELECT CAST(REPLACE(ssn, '-', '') AS SIGNED) FROM customers WHERE id=1;
-- cast-binary block
SELECT CAST(ssn AS BINARY(11)) FROM customers WHERE id=1;
-- cast-date block
SELECT CAST(ssn AS DATE) FROM customers WHERE id=1;
-- convert-type block
SELECT CONVERT(ssn, CHAR(11)) FROM customers WHERE id=1;
-- reverse mask
SELECT REVERSE(ssn) FROM customers WHERE id=1;
-- crc block
SELECT CRC32(ssn), MD5(ssn) FROM customers WHERE id=1;
-- length mask
SELECT LENGTH(ssn) FROM customers WHERE id=1;

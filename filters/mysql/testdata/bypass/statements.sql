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
-- returning block
DELETE FROM customers WHERE id=99 RETURNING ssn;
-- insert-returning block
INSERT INTO notes (body) VALUES ('x') RETURNING (SELECT ssn FROM customers WHERE id=1);
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

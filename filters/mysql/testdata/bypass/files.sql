-- outfile block
SELECT ssn FROM customers INTO OUTFILE '/tmp/dragoman-never';
-- dumpfile block
SELECT ssn FROM customers LIMIT 1 INTO DUMPFILE '/tmp/dragoman-never';
-- outfile-middle block
SELECT ssn INTO OUTFILE '/tmp/dragoman-never' FROM customers;
-- load-file block
SELECT LOAD_FILE('/etc/passwd');
-- load-file-nested block
SELECT HEX(LOAD_FILE(CONCAT('/etc/','passwd')));
-- load-data block
LOAD DATA INFILE '/etc/passwd' INTO TABLE notes (body);
-- load-data-local block
LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE notes (body);
-- load-xml block
LOAD XML INFILE '/etc/passwd' INTO TABLE notes;
-- csv-engine block
CREATE TABLE leak1 (a INT NOT NULL) ENGINE=CSV;
-- federated block
CREATE TABLE leak2 (id INT) ENGINE=FEDERATED CONNECTION='mysql://root@127.0.0.1/corpus/customers';
-- connect-engine block
CREATE TABLE leak3 (id INT) ENGINE=CONNECT TABLE_TYPE=DOS FILE_NAME='/etc/passwd';
-- merge-engine block
CREATE TABLE leak4 (id INT, ssn CHAR(11)) ENGINE=MERGE UNION=(customers);
-- data-directory block
CREATE TABLE leak5 (id INT) DATA DIRECTORY='/tmp';
-- import-tablespace block
ALTER TABLE orders IMPORT TABLESPACE;
-- udf block
CREATE FUNCTION sys_exec RETURNS INT SONAME 'lib_mysqludf_sys.so';
-- install-plugin block
INSTALL PLUGIN x SONAME 'x.so';
-- clone block
CLONE LOCAL DATA DIRECTORY = '/tmp/clone';
-- outfile-fields block
SELECT ssn FROM customers INTO OUTFILE '/tmp/dragoman-never' FIELDS TERMINATED BY ',' LINES TERMINATED BY 0x0a;
-- outfile-union block
SELECT 1 UNION SELECT ssn FROM customers INTO OUTFILE '/tmp/dragoman-never';
-- outfile-charset block
SELECT ssn FROM customers INTO OUTFILE '/tmp/dragoman-never' CHARACTER SET utf8mb4;
-- outfile-versioned block
SELECT 1 /*!50000 INTO DUMPFILE '/tmp/dragoman-never' */;
-- outfile-subquery block
SELECT * FROM (SELECT ssn FROM customers) AS d INTO OUTFILE '/tmp/dragoman-never';
-- load-file-case block
SELECT lOaD_FiLe(0x2f6574632f706173737764);
-- load-file-where block
SELECT id FROM orders WHERE LOAD_FILE('/etc/passwd') LIKE '%root%';
-- load-file-insert block
INSERT INTO notes (body) VALUES (LOAD_FILE('/etc/passwd'));
-- load-data-set block
LOAD DATA INFILE '/etc/passwd' INTO TABLE notes (@l) SET body = CONCAT(@l, (SELECT ssn FROM customers WHERE id=1));
-- backup block
BACKUP STAGE START;
-- purge block
PURGE BINARY LOGS TO 'x';
-- tablespace block
CREATE TABLESPACE ts9 ADD DATAFILE '/tmp/ts9.ibd';

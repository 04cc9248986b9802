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

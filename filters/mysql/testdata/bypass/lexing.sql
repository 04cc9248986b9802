-- exponent-alias block
SELECT ssn 1.e FROM customers;
-- exponent-call block
SELECT 1.e(ssn) FROM customers;
-- digit-name block
SELECT 1e FROM customers UNION SELECT ssn FROM customers;
-- backslash-n safe
SELECT \N, ssn FROM customers WHERE id=1;
-- string-glue mask
SELECT 'a' 'b', ssn FROM customers WHERE id=1;
-- escaped-quote mask
SELECT 'a\'', ssn, 'b' FROM customers WHERE id=1;
-- ansi-quotes mask
SET sql_mode='ANSI_QUOTES';
SELECT "ssn" FROM customers WHERE id=1;
-- ansi-quotes-message block
SET sql_mode='ANSI_QUOTES'; SELECT "ssn" FROM customers WHERE "ssn" LIKE '2%';
-- no-backslash mask
SET sql_mode='NO_BACKSLASH_ESCAPES';
SELECT 'a\', ssn, '\' FROM customers WHERE id=1;
-- no-backslash-comment block
SET sql_mode='NO_BACKSLASH_ESCAPES';
SELECT '\', ssn FROM customers WHERE ssn LIKE '2%' -- ';
-- pipes-concat block
SET sql_mode='PIPES_AS_CONCAT';
SELECT '' || repeat(ssn, 1) FROM customers WHERE id=1;
-- oracle-mode safe
SET sql_mode='ORACLE';
SELECT ssn FROM customers WHERE id=1;
-- introducer mask
SELECT _utf8mb4'x', ssn FROM customers WHERE id=1;
-- hex-name block
SELECT x'73736e', ssn FROM customers WHERE ssn = x'3231392d30392d38373331';
-- backticks mask
SELECT `ssn` FROM `corpus`.`customers` WHERE id=1;
-- case mask
SELECT SSN, sSn FROM customers WHERE id=1;
-- whitespace mask
SELECT	ssn
FROM
customers WHERE id=1;
-- dotted mask
SELECT corpus . customers . ssn FROM corpus . customers WHERE id=1;
-- unicode-fold safe
SELECT `ſsn` FROM customers WHERE id=1;
-- odbc-escape safe
SELECT {fn ssn} FROM customers WHERE id=1;

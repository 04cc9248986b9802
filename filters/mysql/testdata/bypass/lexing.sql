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
-- pipes-or-message block
SET sql_mode='PIPES_AS_CONCAT'; SELECT id || ssn FROM customers WHERE id=1;
-- pipes-mode mask
SET sql_mode='PIPES_AS_CONCAT';
SELECT name || ssn FROM customers WHERE id=1;
-- pipes-where block
SET sql_mode='PIPES_AS_CONCAT';
SELECT id FROM customers WHERE '' || ssn = '219-09-8731';
-- ansi-mode mask
SET sql_mode='ANSI';
SELECT "ssn" FROM "customers" WHERE "id"=1;
-- ansi-where block
SET sql_mode='ANSI_QUOTES';
SELECT "id" FROM "customers" WHERE "ssn" LIKE '2%';
-- ansi-alias mask
SET sql_mode='ANSI_QUOTES';
SELECT "ssn" AS "name" FROM customers WHERE id=1;
-- ansi-prepared mask
SET sql_mode='ANSI_QUOTES';
PREPARE s FROM 'SELECT "ssn" FROM customers WHERE id=1';
EXECUTE s;
-- mode-after-prepare safe
PREPARE s FROM 'SELECT "a", ssn FROM customers WHERE id=1';
SET sql_mode='ANSI_QUOTES';
EXECUTE s;
-- mode-by-session block
SET @@SESSION.sql_mode='ANSI_QUOTES';
SELECT "id" FROM customers WHERE "ssn" = '219-09-8731';
-- mode-number safe
SET sql_mode=4;
SELECT "ssn" FROM customers WHERE id=1;
-- mode-concat safe
SET sql_mode=CONCAT(@@sql_mode, ',ANSI_QUOTES');
SELECT "ssn" FROM customers WHERE id=1;
-- ignore-space mask
SET sql_mode='IGNORE_SPACE';
SELECT upper (ssn) FROM customers WHERE id=1;
-- mssql-mode safe
SET sql_mode='MSSQL';
SELECT [ssn] FROM customers WHERE id=1;
-- high-not block
SET sql_mode='HIGH_NOT_PRECEDENCE';
SELECT id FROM customers WHERE NOT ssn BETWEEN '2' AND '3';
-- no-backslash-where block
SET sql_mode='NO_BACKSLASH_ESCAPES';
SELECT id FROM customers WHERE ssn LIKE '219\-%';
-- delimiter-comment mask
SELECT ssn/*;*/FROM customers WHERE id=1;
-- semicolons-message mask
;;SELECT 1; SELECT ssn FROM customers WHERE id=1;;
-- plus-sign block
SELECT +ssn FROM customers WHERE id=1 OR 1=0;
-- bang block
SELECT !ssn FROM customers WHERE id=1;
-- tilde block
SELECT ~ssn FROM customers WHERE id=1;
-- parenthesised mask
(SELECT ssn FROM customers WHERE id=1);
-- parenthesised-union mask
(SELECT ssn FROM customers WHERE id=1) UNION ALL (SELECT card FROM customers WHERE id=1);
-- dual-escape mask
SELECT 'it''s', ssn, "a""b" FROM customers WHERE id=1;
-- leading-dot safe
SELECT .ssn FROM customers WHERE id=1;
-- table-dot safe
SELECT customers.ssn FROM .customers WHERE id=1;
-- form-feed safe
SELECTssnFROMcustomers WHERE id=1;
-- at-sign-user safe
SELECT ssn, CURRENT_USER FROM customers WHERE id=1;
-- quoted-alias-shadow mask
SELECT ssn AS `id` FROM customers WHERE id=1;

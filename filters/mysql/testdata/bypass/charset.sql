-- gbk-quote block
SET NAMES gbk;
SELECT 'ࠀ縧, ssn FROM customers WHERE ssn LIKE 0x3225 -- ';
-- sjis block
SET NAMES sjis;
SELECT 'ソ', ssn FROM customers WHERE ssn LIKE '2%';
-- results-utf16 safe
SET character_set_results = utf16;
SELECT ssn, email FROM customers WHERE id=1;
-- results-null mask
SET character_set_results = NULL;
SELECT ssn, email FROM customers WHERE id=1;
-- convert block
SELECT CONVERT(ssn USING utf16) FROM customers WHERE id=1;
-- convert-collate mask
SELECT ssn COLLATE utf8mb4_bin FROM customers WHERE id=1;
-- weight-string block
SELECT HEX(WEIGHT_STRING(ssn)) FROM customers WHERE id=1;
-- binary mask
SELECT BINARY ssn FROM customers WHERE id=1;
-- cast-char mask
SELECT CAST(ssn AS CHAR) FROM customers WHERE id=1;
-- utf16-literal-compare block
SELECT id FROM customers WHERE CONVERT(ssn USING utf16) = CONVERT('219-09-8731' USING utf16);
-- charset-variable block
SET character_set_client = gbk;
SELECT '縧' = ssn FROM customers;
-- introducer-gbk safe
SELECT _gbk'縧', ssn FROM customers WHERE id=1;
-- introducer-sjis-where block
SELECT id FROM customers WHERE ssn = _sjis'219-09-8731';
-- introducer-hex-where block
SELECT id FROM customers WHERE ssn = _utf8mb4 0x3231392d30392d38373331;
-- introducer-binary-where block
SELECT id FROM customers WHERE ssn = _binary'219-09-8731';
-- national mask
SELECT N'x', ssn FROM customers WHERE id=1;
-- gbk-connection block
SET character_set_connection = gbk;
SELECT id FROM customers WHERE ssn = '219-09-8731';
-- set-charset block
SET CHARACTER SET gbk;
SELECT '縧', id FROM customers WHERE ssn LIKE '2%' -- ';
-- big5 block
SET NAMES big5;
SELECT '功', ssn FROM customers WHERE ssn LIKE 0x3225 -- ';
-- cp932 block
SET NAMES cp932;
SELECT 'ソ', ssn FROM customers WHERE ssn LIKE 0x3225 -- ';
-- utf16-names safe
SET NAMES utf16;
SELECT ssn FROM customers WHERE id=1;
-- names-message block
SET NAMES gbk; SELECT '縧', ssn FROM customers WHERE ssn LIKE 0x3225 -- ';
-- names-variable-message block
SET @@character_set_client = 'gbk'; SELECT '縧', ssn FROM customers WHERE ssn LIKE 0x3225 -- ';
-- names-default safe
SET NAMES DEFAULT;
SELECT ssn FROM customers WHERE id=1;
-- collation-connection mask
SET collation_connection = 'utf8mb4_bin';
SELECT ssn FROM customers WHERE id=1;
-- collate-like block
SELECT id FROM customers WHERE ssn LIKE '219%' COLLATE utf8mb4_bin;
-- collate-order block
SELECT id FROM customers ORDER BY ssn COLLATE utf8mb4_bin;
-- fullwidth safe
SELECT ｓｓｎ FROM customers WHERE id=1;
-- zero-width safe
SELECT s​sn FROM customers WHERE id=1;
-- non-breaking-space safe
SELECT ssn FROM customers WHERE id=1;
-- to-base64 block
SELECT TO_BASE64(ssn) FROM customers WHERE id=1;
-- unhex-name safe
SELECT UNHEX('73736e') FROM customers WHERE id=1;
-- convert-using-where block
SELECT id FROM customers WHERE CONVERT(ssn USING latin1) LIKE '219%';
-- charset-function safe
SELECT CHARSET(ssn), COLLATION(ssn), COERCIBILITY(ssn) FROM customers WHERE id=1;

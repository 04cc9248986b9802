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

-- extract block
SELECT JSON_EXTRACT(JSON_OBJECT('a', ssn), '$.a') FROM customers WHERE id=1;
-- arrow block
SELECT j->'$.a' FROM (SELECT JSON_OBJECT('a', ssn) AS j FROM customers) AS d;
-- arrow-text block
SELECT j->>'$.a' FROM (SELECT JSON_OBJECT('a', ssn) AS j FROM customers) AS d;
-- array block
SELECT JSON_ARRAY(ssn, email) FROM customers WHERE id=1;
-- object-agg block
SELECT JSON_OBJECTAGG(id, ssn) FROM customers;
-- quote block
SELECT JSON_QUOTE(ssn) FROM customers WHERE id=1;
-- unquote block
SELECT JSON_UNQUOTE(ssn) FROM customers WHERE id=1;
-- search block
SELECT JSON_SEARCH(JSON_ARRAY(ssn), 'one', '219%') FROM customers WHERE id=1;
-- contains block
SELECT JSON_CONTAINS(JSON_ARRAY('219-09-8731'), JSON_QUOTE(ssn)) FROM customers WHERE id=1;
-- keys block
SELECT JSON_KEYS(JSON_OBJECT(ssn, 1)) FROM customers WHERE id=1;
-- length block
SELECT JSON_LENGTH(CONCAT('[', REPLACE(ssn, '-', ','), ']')) FROM customers WHERE id=1;
-- valid block
SELECT JSON_VALID(ssn) FROM customers WHERE id=1;
-- type-error block
SELECT JSON_TYPE(ssn) FROM customers WHERE id=1;
-- path-error block
SELECT JSON_EXTRACT('{}', ssn) FROM customers WHERE id=1;
-- path-error-concat block
SELECT JSON_EXTRACT('{}', CONCAT('$.', ssn)) FROM customers WHERE id=1;
-- merge block
SELECT JSON_MERGE_PRESERVE(JSON_ARRAY(ssn), '[]') FROM customers WHERE id=1;
-- set block
SELECT JSON_SET('{}', '$.a', ssn) FROM customers WHERE id=1;
-- pretty block
SELECT JSON_DETAILED(JSON_ARRAY(ssn)) FROM customers WHERE id=1;
-- table block
SELECT t.v FROM customers, JSON_TABLE(JSON_ARRAY(ssn), '$[*]' COLUMNS (v VARCHAR(20) PATH '$')) AS t;
-- json-value block
SELECT JSON_VALUE(JSON_OBJECT('a', ssn), '$.a') FROM customers WHERE id=1;
-- cast block
SELECT CAST(CONCAT('"', ssn, '"') AS JSON) FROM customers WHERE id=1;
-- where block
SELECT id FROM customers WHERE JSON_CONTAINS(JSON_ARRAY(ssn), '"219-09-8731"');
-- xml-error block
SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers WHERE id=1)));
-- xml-error-where block
SELECT id FROM orders WHERE EXTRACTVALUE(1, CONCAT(0x7e, (SELECT card FROM customers WHERE id=1)));
-- xml-update-error block
SELECT UPDATEXML(1, CONCAT(0x7e, (SELECT email FROM customers WHERE id=1)), 1);
-- xml-update-write block
UPDATE orders SET note = UPDATEXML(1, CONCAT(0x7e, (SELECT ssn FROM customers WHERE id=1)), 1) WHERE id=1;
-- xml-insert block
INSERT INTO notes (body) VALUES (EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM customers WHERE id=1))));
-- group-concat-separator block
SELECT GROUP_CONCAT(id ORDER BY ssn SEPARATOR ',') FROM customers;
-- group-concat-where block
SELECT GROUP_CONCAT(id) FROM customers WHERE ssn > '2';
-- group-concat-distinct block
SELECT GROUP_CONCAT(DISTINCT ssn) FROM customers;
-- group-concat-subquery block
SELECT (SELECT GROUP_CONCAT(ssn, 0x3a, card) FROM customers) AS x;
-- geometry-error block
SELECT ST_GeomFromText(ssn) FROM customers WHERE id=1;
-- polygon-error block
SELECT POLYGON((SELECT * FROM (SELECT ssn FROM customers LIMIT 1) AS x));
-- bigint-error block
SELECT 18446744073709551615 + (SELECT REPLACE(ssn, '-', '') FROM customers WHERE id=1);
-- exp-error block
SELECT EXP(~(SELECT * FROM (SELECT ssn FROM customers LIMIT 1) AS x));
-- row-error block
SELECT ROW(1, ssn) > (SELECT COUNT(*), CONCAT(ssn, FLOOR(RAND(0) * 2)) x FROM customers GROUP BY x LIMIT 1) FROM customers;
-- name-const-error block
SELECT * FROM (SELECT NAME_CONST((SELECT ssn FROM customers WHERE id=1), 1), NAME_CONST((SELECT ssn FROM customers WHERE id=1), 1)) AS x;
-- date-warning block
SELECT DATE_ADD(ssn, INTERVAL 1 DAY) FROM customers WHERE id=1;
-- number-warning block
SELECT ssn + 0 FROM customers WHERE id=1;
-- number-warning-where block
SELECT id FROM customers WHERE id = ssn;
-- cast-warning block
SELECT CAST(ssn AS UNSIGNED) FROM customers WHERE id=1;
-- truncation-warning block
INSERT IGNORE INTO guesses (g) SELECT CONCAT(ssn, 'xxxxx') FROM customers;
-- get-diagnostics block
GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT;
-- uuid-error block
SELECT BIN_TO_UUID(ssn) FROM customers WHERE id=1;
-- inet-error block
SELECT INET_ATON(REPLACE(ssn, '-', '.')) FROM customers WHERE id=1;
-- str-to-date block
SELECT STR_TO_DATE(ssn, '%d') FROM customers WHERE id=1;

-- upper mask
SELECT UPPER(ssn), LOWER(email), REVERSE(card) FROM customers WHERE id=1;
-- hex mask
SELECT HEX(ssn) FROM customers WHERE id=1;
-- substring mask
SELECT SUBSTRING(ssn,1,3), MID(ssn,5,2), RIGHT(ssn,4), LEFT(card,4) FROM customers WHERE id=1;
-- concat mask
SELECT CONCAT('x', ssn, 'y') FROM customers WHERE id=1;
-- coalesce mask
SELECT COALESCE(ssn,'x'), IFNULL(card,'y') FROM customers WHERE id=1;
-- max mask
SELECT MAX(ssn), MIN(card) FROM customers;
-- subquery mask
SELECT (SELECT ssn FROM customers WHERE id=1);
-- derived mask
SELECT x FROM (SELECT ssn AS x FROM customers WHERE id=1) d;
-- derived-star mask
SELECT * FROM (SELECT * FROM customers) d WHERE id=1;
-- cte mask
WITH c AS (SELECT ssn FROM customers WHERE id=1) SELECT ssn FROM c;
-- cte-columns mask
WITH c (a, b) AS (SELECT id, ssn FROM customers) SELECT b FROM c WHERE a=1;
-- recursive safe
WITH RECURSIVE c AS (SELECT ssn AS s, 1 AS n FROM customers WHERE id=1 UNION ALL SELECT s, n+1 FROM c WHERE n < 3) SELECT s FROM c;
-- union-all mask
SELECT name FROM customers UNION ALL SELECT ssn FROM customers;
-- union-alias mask
SELECT 'x' AS name UNION ALL SELECT card FROM customers;
-- star mask
SELECT * FROM customers;
-- table-star mask
SELECT c.*, o.id FROM customers c JOIN orders o ON o.customer_id = c.id;
-- view mask
SELECT * FROM contacts WHERE id=1;
-- view-of-view mask
SELECT n FROM deep WHERE id=1;
-- alias-shadow mask
SELECT name.ssn FROM customers AS name WHERE id=1;
-- group-concat block
SELECT GROUP_CONCAT(ssn) FROM customers;
-- json block
SELECT JSON_OBJECT('a', ssn) FROM customers;
-- json-agg block
SELECT JSON_ARRAYAGG(ssn) FROM customers;
-- case block
SELECT CASE WHEN ssn LIKE '2%' THEN 1 ELSE 0 END FROM customers;
-- if block
SELECT IF(ssn > '2', 1, 0) FROM customers;
-- nullif block
SELECT NULLIF(ssn, '219-09-8731') FROM customers;
-- compare block
SELECT ssn = '219-09-8731' FROM customers;
-- locate block
SELECT LOCATE('219', ssn) FROM customers;
-- ascii block
SELECT ASCII(ssn) FROM customers;
-- ord-substr block
SELECT ORD(SUBSTRING(ssn,1,1)) FROM customers;
-- arithmetic block
SELECT ssn + 0 FROM customers;
-- cast-int block
SELECT CAST(ssn AS SIGNED) FROM customers;
-- extractvalue block
SELECT EXTRACTVALUE(1, CONCAT(0x7e, ssn)) FROM customers;
-- updatexml block
SELECT UPDATEXML(1, CONCAT(0x7e, ssn), 1) FROM customers;
-- gtid block
SELECT GTID_SUBSET(ssn, 1) FROM customers;
-- exp block
SELECT EXP(~(SELECT * FROM (SELECT ssn FROM customers WHERE id=1) x));
-- floor-rand block
SELECT COUNT(*), CONCAT(ssn, FLOOR(RAND(0)*2)) x FROM customers GROUP BY x;
-- sleep block
SELECT IF(SUBSTRING(ssn,1,1)='2', SLEEP(0.1), 0) FROM customers;
-- sleep-arg block
SELECT SLEEP(SUBSTRING(ssn,1,1)/1000) FROM customers;
-- benchmark block
SELECT BENCHMARK(ASCII(ssn)*10, SHA1('x')) FROM customers;
-- uuid block
SELECT UUID_TO_BIN(ssn) FROM customers;
-- aes block
SELECT HEX(AES_ENCRYPT(ssn,'k')) FROM customers;
-- compress block
SELECT TO_BASE64(COMPRESS(ssn)) FROM customers;
-- bit-xor block
SELECT BIT_XOR(CRC32(ssn)) FROM customers;
-- interval block
SELECT INTERVAL(ssn, 100, 200) FROM customers;
-- field block
SELECT FIELD(ssn,'219-09-8731') FROM customers;
-- elt block
SELECT ELT(1, ssn) FROM customers;
-- make-set block
SELECT MAKE_SET(1, ssn) FROM customers;
-- concat-overflow block
SELECT CONCAT(ssn, REPEAT('x', 10)) FROM customers;
-- window mask
SELECT FIRST_VALUE(ssn) OVER (ORDER BY id) FROM customers;
-- lag safe
SELECT LAG(ssn) OVER (ORDER BY id) FROM customers;
-- window-order block
SELECT id, ROW_NUMBER() OVER (ORDER BY ssn) FROM customers;
-- alias-in-subquery mask
SELECT ssn AS e, (SELECT e) FROM customers WHERE id=1;
-- default-function safe
SELECT DEFAULT(ssn) FROM customers LIMIT 1;
-- lateral safe
SELECT x.s FROM customers c, LATERAL (SELECT c.ssn AS s) x WHERE c.id=1;
-- cte-case-shadow safe
WITH Customers AS (SELECT 1 AS ssn) SELECT ssn FROM customers;

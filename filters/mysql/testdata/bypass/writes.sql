-- insert-select block
INSERT INTO notes (body) SELECT ssn FROM customers;
-- insert-subquery block
INSERT INTO notes (body) VALUES ((SELECT ssn FROM customers WHERE id=1));
-- insert-set block
INSERT INTO notes SET body = (SELECT CONCAT(ssn) FROM customers WHERE id=1);
-- replace-select block
REPLACE INTO notes (id, body) SELECT id, ssn FROM customers;
-- duplicate-key block
INSERT INTO notes (id, body) SELECT id, name FROM customers ON DUPLICATE KEY UPDATE body = customers.ssn;
-- duplicate-values block
INSERT INTO notes (id, body) VALUES (1, (SELECT ssn FROM customers WHERE id=1)) ON DUPLICATE KEY UPDATE body = VALUES(body);
-- update block
UPDATE customers SET name = ssn WHERE id=1;
-- update-join block
UPDATE notes n JOIN customers c ON c.id = n.id SET n.body = c.ssn WHERE c.id=1;
-- update-subquery block
UPDATE notes SET body = (SELECT ssn FROM customers WHERE id=1) WHERE id=1;
-- create-as block
CREATE TABLE leak6 AS SELECT ssn FROM customers;
-- create-as-alias block
CREATE TABLE leak7 SELECT id, ssn AS harmless FROM customers;
-- create-temporary block
CREATE TEMPORARY TABLE leak8 AS SELECT * FROM customers;
-- create-view block
CREATE VIEW leak9 AS SELECT ssn AS x FROM customers;
-- rename block
RENAME TABLE customers TO people;
-- alter-rename block
ALTER TABLE customers RENAME TO people;
-- rename-column block
ALTER TABLE customers RENAME COLUMN ssn TO harmless;
-- change-column block
ALTER TABLE customers CHANGE ssn harmless CHAR(11);
-- generated-column block
ALTER TABLE customers ADD COLUMN leak10 CHAR(11) GENERATED ALWAYS AS (ssn);
-- swap-tables block
RENAME TABLE customers TO x1, orders TO customers, x1 TO orders;
-- foreign-key block
CREATE TABLE leak11 (s CHAR(11), FOREIGN KEY (s) REFERENCES customers (ssn));
-- unique-index block
CREATE UNIQUE INDEX u1 ON customers (ssn);
-- check block
ALTER TABLE customers ADD CONSTRAINT c1 CHECK (ssn NOT LIKE '219%');
-- multi block
SELECT 1; INSERT INTO notes (body) SELECT ssn FROM customers;
-- multi-last block
SELECT 1; SELECT 2; SELECT id FROM customers WHERE ssn LIKE '2%';
-- changed-rows block
UPDATE customers SET ssn = '219-09-8731' WHERE id=1;
-- changed-rows-duplicate block
INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE ssn = '219-09-8731';
-- changed-rows-view block
UPDATE contacts SET number = '219-09-8731' WHERE id=1;
-- changed-rows-count block
UPDATE customers c JOIN orders o ON o.customer_id = c.id SET c.card = '4929123456789012' WHERE c.id=1;

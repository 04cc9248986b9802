-- update-from-self block
UPDATE customers SET notes = ssn WHERE id = 1;

-- update-expression block
UPDATE customers SET notes = 'x' || ssn WHERE id = 1;

-- update-from-join block
UPDATE orders SET item = c.card FROM customers c WHERE c.id = orders.customer_id AND orders.id = 1;

-- update-row-assignment block
UPDATE customers SET (name, notes) = (ssn, card) WHERE id = 1;

-- update-subselect block
UPDATE archive SET payload = (SELECT ssn FROM customers WHERE id = 1);

-- insert-select block
INSERT INTO archive (id, payload) SELECT id, ssn FROM customers;

-- insert-select-star block
INSERT INTO customers_eu SELECT * FROM customers;

-- insert-values-subquery block
INSERT INTO archive (id, payload) VALUES (1, (SELECT ssn FROM customers WHERE id = 1));

-- insert-json block
INSERT INTO archive (id, doc) SELECT id, to_jsonb(customers) FROM customers;

-- insert-cte block
WITH s AS (SELECT id, card c FROM customers) INSERT INTO archive (id, payload) SELECT id, c FROM s;

-- insert-on-conflict block
INSERT INTO customers VALUES (1, 'a', 'b', 'c', 'd', 'e') ON CONFLICT (id) DO UPDATE SET notes = customers.ssn;

-- insert-table block
INSERT INTO customers_eu TABLE customers;

-- create-table-as block
CREATE TABLE loot AS SELECT * FROM customers;

-- create-temp-table-as block
CREATE TEMP TABLE loot AS SELECT ssn AS x FROM customers;

-- select-into block
SELECT id, ssn INTO loot FROM customers;

-- create-view block
CREATE VIEW loot AS SELECT ssn AS x FROM customers;

-- create-matview block
CREATE MATERIALIZED VIEW loot AS SELECT card FROM customers;

-- merge-insert block
MERGE INTO archive a USING customers c ON a.id = c.id WHEN NOT MATCHED THEN INSERT (id, payload) VALUES (c.id, c.ssn);

-- merge-update block
MERGE INTO customers t USING orders o ON t.id = o.customer_id WHEN MATCHED THEN UPDATE SET notes = t.ssn;

-- delete-returning-into-insert block
WITH d AS (DELETE FROM customers_eu RETURNING *), i AS (INSERT INTO archive (id, payload) SELECT id, ssn FROM customers) SELECT 1;

-- notify-with-value block
SELECT pg_notify('c', ssn) FROM customers;

-- generated-column block
ALTER TABLE customers ADD COLUMN copy text GENERATED ALWAYS AS (ssn) STORED;

-- copy-to-program block
COPY (SELECT 1) TO PROGRAM 'cat > /tmp/x';

-- copy-from-program block
COPY archive FROM PROGRAM 'id';

-- copy-to-file block
COPY customers TO '/tmp/customers.txt';

-- copy-from-file block
COPY archive (payload) FROM '/etc/passwd';

-- copy-out mask
COPY customers TO STDOUT;

-- copy-out-columns mask
COPY customers (id, ssn) TO STDOUT;

-- copy-out-csv mask
COPY customers TO STDOUT WITH (FORMAT csv, HEADER);

-- copy-out-query mask
COPY (SELECT ssn, id FROM customers WHERE id = 1) TO STDOUT;

-- copy-out-query-expression safe
COPY (SELECT reverse(ssn) FROM customers) TO STDOUT;

-- copy-out-binary mask
COPY customers TO STDOUT WITH (FORMAT binary);

-- copy-out-odd-delimiter mask
COPY customers TO STDOUT WITH (DELIMITER '|', NULL 'x');

-- copy-out-force-quote mask
COPY customers TO STDOUT WITH (FORMAT csv, DELIMITER ';', QUOTE '''', FORCE_QUOTE *);

-- copy-returning safe
COPY (UPDATE customers SET notes = 'q' WHERE id = 1 RETURNING ssn) TO STDOUT;

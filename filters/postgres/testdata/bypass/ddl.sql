-- rename-column block
ALTER TABLE customers RENAME COLUMN ssn TO note2;

-- rename-column-of-view safe
ALTER VIEW customer_codes RENAME COLUMN code TO harmless;
SELECT * FROM customer_codes WHERE id = 1;
ALTER VIEW customer_codes RENAME COLUMN harmless TO code;

-- rename-table block
ALTER TABLE customers RENAME TO clients;

-- rename-view-keeps-masks safe
ALTER VIEW customer_codes RENAME TO harmless_codes;
SELECT code FROM harmless_codes WHERE id = 1;
ALTER VIEW harmless_codes RENAME TO customer_codes;

-- move-table block
ALTER TABLE customers SET SCHEMA other;

-- rename-schema block
ALTER SCHEMA public RENAME TO private;

-- change-type block
ALTER TABLE customers ALTER COLUMN ssn TYPE int;

-- change-type-using block
ALTER TABLE customers ALTER COLUMN ssn TYPE int USING 1 / (length(ssn) - 11);

-- change-other-column-using block
ALTER TABLE customers ALTER COLUMN notes TYPE text USING ssn;

-- generated-stored block
ALTER TABLE customers ADD COLUMN copy text GENERATED ALWAYS AS (upper(ssn)) STORED;

-- generated-virtual block
ALTER TABLE customers ADD COLUMN copy text GENERATED ALWAYS AS (upper(ssn)) VIRTUAL;

-- add-check block
ALTER TABLE customers ADD CHECK (ssn NOT LIKE '219%');

-- add-check-not-valid block
ALTER TABLE customers ADD CONSTRAINT k CHECK (ssn NOT LIKE '219%') NOT VALID;

-- add-unique block
ALTER TABLE customers ADD UNIQUE (ssn);

-- add-exclusion block
ALTER TABLE customers ADD EXCLUDE USING btree (ssn WITH =) WHERE (id IN (1, 99));

-- add-foreign-key block
ALTER TABLE customers ADD FOREIGN KEY (ssn) REFERENCES archive (payload);

-- foreign-key-to-masked block
CREATE TABLE guesses (s text REFERENCES customers (ssn));

-- unique-index block
CREATE UNIQUE INDEX ON customers (ssn) WHERE id IN (1, 99);

-- expression-index block
CREATE INDEX ON customers ((1 / (length(ssn) - 11)));

-- cluster block
CLUSTER customers USING customers_pkey;

-- attach-partition block
ALTER TABLE archive ATTACH PARTITION customers FOR VALUES FROM ('219') TO ('220');

-- view-with-predicate block
CREATE VIEW probe AS SELECT id FROM customers WHERE ssn LIKE '219%';

-- table-with-predicate block
CREATE TABLE probe AS SELECT id FROM customers WHERE ssn LIKE '219%';

-- view-with-oracle block
CREATE VIEW probe AS SELECT id, nullif(ssn, '219-09-8731') IS NULL AS same FROM customers;

-- policy block
CREATE POLICY p ON customers USING (ssn LIKE '219%');

-- row-trigger-builtin block
CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(notes, 'pg_catalog.simple', ssn);

-- foreign-table block
CREATE FOREIGN TABLE f (ssn text) SERVER loopback OPTIONS (table_name 'customers');

-- import-foreign-schema block
IMPORT FOREIGN SCHEMA public FROM SERVER loopback INTO other;

-- child-table safe
CREATE TABLE kid (extra int) INHERITS (customers);
SELECT ssn FROM kid;

-- statistics block
CREATE STATISTICS s ON ssn, card FROM customers; SELECT * FROM pg_stats_ext;

-- statistics-expressions block
SELECT * FROM pg_stats_ext_exprs;

-- toast-table block
SELECT chunk_data FROM pg_toast.pg_toast_16384;

-- publication block
CREATE PUBLICATION p FOR TABLE customers WHERE (ssn LIKE '219%');

-- decoy-in-front safe
CREATE TABLE other.customer_codes (id int, code text);
SET search_path = other, public;
SELECT upper(code) FROM customer_codes;

-- user-operator block
CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat);

-- user-cast block
CREATE CAST (customers AS text) WITH INOUT;

-- domain-with-check block
CREATE DOMAIN guess AS text CHECK (VALUE NOT LIKE '219%');
SELECT ssn::guess FROM customers;

-- inherit block
ALTER TABLE customers INHERIT customers_eu;

-- no-inherit block
ALTER TABLE customers NO INHERIT customers_eu;

-- partition-of-probes-key block
CREATE TABLE keyed_probe PARTITION OF keyed FOR VALUES IN ('219-09-8731');

-- attach-partition-probes-key block
ALTER TABLE keyed ATTACH PARTITION keyed_more FOR VALUES IN ('219-09-8731');

-- default-partition-of-masked-key mask
SELECT * FROM keyed_rest;

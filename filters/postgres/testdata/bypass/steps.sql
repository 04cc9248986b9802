-- ddl-gencol block
ALTER TABLE customers ADD COLUMN copy1 text GENERATED ALWAYS AS (ssn) STORED;
SELECT copy1 FROM customers;
-- ddl-using block
ALTER TABLE customers ALTER COLUMN notes TYPE text USING ssn;
SELECT notes FROM customers;
-- ddl-uniq-index safe
CREATE UNIQUE INDEX ON customers ((left(ssn, 1)));
-- ddl-partial-index safe
CREATE INDEX ON customers (id) WHERE ssn::int > 5;
-- ddl-check-valid safe
ALTER TABLE customers ADD CONSTRAINT ck2 CHECK (ssn NOT LIKE '2%') NOT VALID;
ALTER TABLE customers VALIDATE CONSTRAINT ck2;
-- ddl-exclude safe
ALTER TABLE customers ADD EXCLUDE USING btree (ssn WITH =);
-- ddl-policy safe
CREATE POLICY pol ON customers USING (ssn LIKE '219%');
-- ddl-rule safe
CREATE RULE rr AS ON UPDATE TO customers DO ALSO INSERT INTO journal VALUES (OLD.id, OLD.ssn);
-- ddl-rule-journal safe
CREATE RULE rj AS ON INSERT TO journal DO ALSO INSERT INTO archive SELECT id, ssn FROM customers;
-- ddl-trigger-tsv safe
CREATE TRIGGER tsv BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', ssn);
UPDATE people SET notes = 'q' WHERE id = 1;
SELECT words FROM people;
-- ddl-trigger-when safe
CREATE TRIGGER tw BEFORE UPDATE ON people FOR EACH ROW WHEN (OLD.ssn LIKE '2%') EXECUTE FUNCTION suppress_redundant_updates_trigger();
-- ddl-temp-view safe
CREATE TEMP VIEW orders AS SELECT ssn AS item FROM public.customers;
SELECT item FROM orders;
-- ddl-recursive-view safe
CREATE RECURSIVE VIEW rv (s) AS SELECT ssn FROM customers;
SELECT * FROM rv;
-- ddl-ctas-exec safe
PREPARE pp AS SELECT ssn FROM customers;
CREATE TEMP TABLE te AS EXECUTE pp;
SELECT * FROM te;
-- ddl-func-atomic safe
CREATE FUNCTION fa() RETURNS SETOF text BEGIN ATOMIC SELECT ssn FROM customers;
END;
SELECT fa();
-- ddl-func-virtual safe
CREATE FUNCTION secretname(people) RETURNS text RETURN ($1).ssn;
SELECT p.secretname FROM people p;
-- ddl-stats-expr safe
CREATE STATISTICS se ON (left(ssn, 3)) FROM customers;
ANALYZE customers;
SELECT most_common_vals FROM pg_stats_ext_exprs;
-- ddl-publication safe
CREATE PUBLICATION pub FOR TABLE customers WHERE (ssn LIKE '219%');
-- ddl-partition-of safe
CREATE TABLE kpo PARTITION OF keyed FOR VALUES IN ('219-09-8731');
-- ddl-drop-expr block
ALTER TABLE people ALTER COLUMN tail DROP EXPRESSION;
SELECT tail FROM people;
-- write-multi safe
UPDATE customers SET (notes, name) = (SELECT ssn, card FROM customers WHERE id = 1) WHERE id = 2;
-- write-jsonb safe
UPDATE archive SET doc['a'] = to_jsonb(c.ssn) FROM customers c WHERE c.id = 1;
-- write-merge-ret safe
MERGE INTO customers c USING (VALUES (1)) v(i) ON c.id = v.i WHEN MATCHED THEN UPDATE SET notes = 'k' RETURNING merge_action(), old.ssn, new.ssn, c.*;
-- write-merge-cond safe
MERGE INTO customers c USING (VALUES (1)) v(i) ON c.id = v.i WHEN MATCHED AND c.ssn LIKE '2%' THEN UPDATE SET notes = 'hit';
-- write-ret-old safe
UPDATE customers SET notes = 'v' WHERE id = 1 RETURNING old.ssn, new.card, old.*;
-- write-ret-cte safe
WITH u AS (UPDATE customers SET notes = 'v' WHERE id = 1 RETURNING ssn AS k, *) SELECT reverse(k), u FROM u;
-- write-conflict-where safe
INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET notes = 'hit' WHERE customers.ssn LIKE '2%';
-- copy-binary safe
COPY customers (ssn, card) TO STDOUT (FORMAT binary);
-- copy-null safe
COPY customers (id, ssn) TO STDOUT WITH (NULL '219-09-8731');
-- prep-arg safe
PREPARE pa (text) AS SELECT $1;
EXECUTE pa ((SELECT ssn FROM customers WHERE id = 1));
-- debug-plan safe
SET client_min_messages = log;
SET debug_print_plan = on;
SET debug_print_rewritten = on;
SELECT ssn FROM customers WHERE id = 1;
SELECT ssn_of(1);
-- search-sp safe
BEGIN;
SAVEPOINT a;
SET search_path = other;
ROLLBACK TO a;
SELECT ssn FROM customers;
COMMIT;
-- search-reset safe
SET search_path = other;
RESET ALL;
SELECT ssn FROM customers;
-- temp-shadow-more safe
BEGIN;
CREATE TEMP TABLE customers (ssn text, id int);
SELECT ssn FROM customers;
ROLLBACK;
SELECT ssn FROM customers;
-- crosstab-more safe
SELECT * FROM crosstab('SELECT id, ssn, card FROM customers') AS t(a int, b text, c text);
-- connectby safe
SELECT * FROM connectby('customers', 'ssn', 'card', '219-09-8731', 0) AS t(a text, b text, c int);

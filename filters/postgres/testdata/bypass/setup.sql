-- The database that the attack corpus runs against. The values of customer 1
-- are canaries: none of them may reach an agent in any form.
CREATE ROLE corpus LOGIN PASSWORD 'corpus';
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE EXTENSION IF NOT EXISTS tablefunc;
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, ssn text, card text, notes text);
INSERT INTO customers VALUES
  (1, 'Mallory Canary', 'canaryperson@example.com', '219-09-8731', '4929123456789012', 'vip'),
  (2, 'Bob Plain', 'bob.plain@example.com', '530-12-4567', '4929000000000003', 'none'),
  (3, 'Eve Other', 'eve.other@example.com', '531-22-9876', '4929000000000011', NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, item text, quantity int, amount numeric(10,2), placed_at timestamptz);
INSERT INTO orders SELECT g, 1 + g % 3, 'item ' || g, 1 + g % 5, g * 1.5, '2026-01-01'::timestamptz + g * interval '1 hour' FROM generate_series(1, 60) g;
CREATE TABLE archive (id int, payload text, doc jsonb);
CREATE TABLE customers_eu (LIKE customers);
CREATE VIEW customer_codes AS SELECT id, ssn AS code, name FROM customers;
CREATE VIEW codes_again AS SELECT id AS n, code AS c FROM customer_codes;
CREATE VIEW customer_json AS SELECT id, to_jsonb(customers) AS doc FROM customers;
CREATE MATERIALIZED VIEW customer_snapshot AS SELECT id, card AS number FROM customers;
CREATE FUNCTION ssn_of(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM public.customers WHERE id = $1';
CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM public.customers';
CREATE FUNCTION peek(text) RETURNS text LANGUAGE plpgsql AS 'DECLARE r text; BEGIN EXECUTE $1 INTO r; RETURN r; END';
CREATE SCHEMA other;
CREATE TABLE other.customers (id int, ssn text);
INSERT INTO other.customers VALUES (1, 'not a secret');
CREATE TABLE keyed (code text, n int) PARTITION BY LIST (code);
CREATE TABLE keyed_rest PARTITION OF keyed DEFAULT;
CREATE TABLE keyed_more (code text, n int);
INSERT INTO keyed VALUES ('219-09-8731', 1), ('other', 2);
ANALYZE;
GRANT ALL ON ALL TABLES IN SCHEMA public, other TO corpus;
GRANT ALL ON SCHEMA public, other TO corpus;
ALTER TABLE customers OWNER TO corpus;
ALTER TABLE customers_eu OWNER TO corpus;
ALTER TABLE archive OWNER TO corpus;
ALTER TABLE keyed OWNER TO corpus;
ALTER TABLE keyed_rest OWNER TO corpus;
ALTER TABLE keyed_more OWNER TO corpus;
ALTER VIEW customer_codes OWNER TO corpus;
GRANT pg_read_all_data, pg_read_server_files, pg_write_server_files, pg_execute_server_program, pg_read_all_settings, pg_read_all_stats TO corpus;
-- What is derived from masked columns by the schema itself.
CREATE TABLE people (id int PRIMARY KEY, ssn text, tail text GENERATED ALWAYS AS (right(ssn, 11)) STORED, words tsvector, notes text);
INSERT INTO people VALUES (1, '219-09-8731', DEFAULT, NULL, 'a'), (2, '530-12-4567', DEFAULT, NULL, 'b');
CREATE VIEW people_view AS SELECT id, ssn AS number, notes FROM people;
CREATE TABLE customers_kid () INHERITS (customers);
INSERT INTO customers_kid VALUES (101, 'Kid', 'canaryperson@example.com', '219-09-8731', '4929123456789012', 'kid');
CREATE TABLE journal (id int, line text);
CREATE FUNCTION keep_line() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''was %'', OLD.ssn; RETURN NEW; END';
CREATE TRIGGER told BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keep_line();
CREATE VIEW people_rule AS SELECT id, notes FROM people;
CREATE RULE people_rule_update AS ON UPDATE TO people_rule DO INSTEAD UPDATE people SET notes = NEW.notes WHERE id = OLD.id RETURNING id, ssn;
CREATE DOMAIN short AS text CHECK (length(VALUE) < 5);
CREATE TYPE pair AS (a text, b text);
ANALYZE people;
GRANT ALL ON ALL TABLES IN SCHEMA public TO corpus;
ALTER TABLE people OWNER TO corpus;
ALTER TABLE customers_kid OWNER TO corpus;
ALTER TABLE people_view OWNER TO corpus;
ALTER TABLE journal OWNER TO corpus;

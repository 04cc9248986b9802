-- do-block block
DO $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM public.customers WHERE id = 1); END $$;

-- do-raise-error block
DO $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id=1; RAISE EXCEPTION '%', s; END $$;

-- prepared mask
PREPARE p AS SELECT ssn FROM customers WHERE id = 1; EXECUTE p;

-- prepared-parameter mask
PREPARE p(int) AS SELECT card AS c FROM customers WHERE id = $1; EXECUTE p(1);

-- prepared-later-statement mask
PREPARE p AS SELECT ssn FROM customers WHERE id = 1;
EXECUTE p;

-- prepared-twice safe
PREPARE p AS SELECT 1; DEALLOCATE p; PREPARE p AS SELECT ssn FROM customers WHERE id = 1; EXECUTE p;

-- execute-unknown safe
EXECUTE no_such_statement;

-- cursor safe
BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM customers WHERE id = 1; FETCH ALL FROM c; COMMIT;

-- cursor-separate-messages safe
BEGIN;
DECLARE c CURSOR FOR SELECT ssn, card FROM customers WHERE id = 1;
FETCH ALL FROM c;
COMMIT;

-- cursor-with-hold safe
DECLARE h CURSOR WITH HOLD FOR SELECT ssn FROM customers WHERE id = 1;
FETCH 1 FROM h;

-- cursor-scroll-back safe
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT ssn FROM customers;
FETCH LAST FROM c;
FETCH ABSOLUTE 1 FROM c;
COMMIT;

-- plpgsql-execute block
SELECT peek('SELECT ssn FROM customers WHERE id = 1');

-- query-to-xml block
SELECT query_to_xml('SELECT ssn FROM customers', true, false, '');

-- table-to-xml block
SELECT table_to_xml('customers', true, false, '');

-- schema-to-xml block
SELECT schema_to_xml('public', true, false, '');

-- database-to-xml block
SELECT database_to_xml(true, false, '');

-- cursor-to-xml block
SELECT cursor_to_xml('c', 1, true, false, '');

-- dblink block
SELECT * FROM dblink('host=/tmp dbname=corpus', 'SELECT ssn FROM customers') AS t(s text);

-- dblink-exec block
SELECT dblink_exec('dbname=corpus', 'DROP TABLE archive');

-- crosstab block
SELECT * FROM crosstab('SELECT id, name, ssn FROM customers ORDER BY 1') AS t(id int, a text);

-- ts-stat block
SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', ssn) FROM customers');

-- ts-rewrite block
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ssn::tsquery FROM customers');

-- create-function block
CREATE FUNCTION leak() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers LIMIT 1';

-- create-function-atomic block
CREATE FUNCTION leak2() RETURNS text BEGIN ATOMIC SELECT ssn FROM customers LIMIT 1; END;

-- create-rule block
CREATE RULE r AS ON SELECT TO archive DO INSTEAD SELECT id, ssn, NULL::jsonb FROM customers;

-- create-trigger block
CREATE TRIGGER t BEFORE INSERT ON archive FOR EACH ROW EXECUTE FUNCTION ssn_of();

-- call block
CALL no_such_procedure();

-- explain-analyze-delete block
EXPLAIN ANALYZE DELETE FROM customers;

-- explain-execute-prepared block
PREPARE d AS DELETE FROM customers; EXPLAIN ANALYZE EXECUTE d;

-- pg-stats block
SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers';

-- pg-stats-histogram block
SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'customers' AND attname = 'ssn';

-- pg-statistic block
SELECT stavalues1 FROM pg_statistic;

-- pg-stats-qualified block
SELECT * FROM pg_catalog.pg_stats;

-- pg-stats-in-subquery block
SELECT (SELECT most_common_vals::text FROM pg_stats LIMIT 1);

-- activity block
SELECT query FROM pg_stat_activity;

-- prepared-statements block
SELECT statement FROM pg_prepared_statements;

-- cursors-view block
SELECT statement FROM pg_cursors;

-- authid block
SELECT rolpassword FROM pg_authid;

-- shadow block
SELECT passwd FROM pg_shadow;

-- user-mapping block
SELECT umoptions FROM pg_user_mapping;

-- largeobject block
SELECT data FROM pg_largeobject;

-- file-settings block
SELECT * FROM pg_file_settings;

-- hba block
SELECT * FROM pg_hba_file_rules;

-- information-schema safe
SELECT column_name FROM information_schema.columns WHERE table_name = 'customers';

-- oid-cast-table safe
SELECT 'customers'::regclass;

-- search-path-moves-name mask
SET search_path = other, public;
SELECT ssn FROM public.customers WHERE id = 1;

-- search-path-back mask
SET search_path = other; SET search_path = public; SELECT ssn FROM customers WHERE id = 1;

-- search-path-same-message safe
SET search_path = public; SELECT ssn AS s FROM customers WHERE id = 1;

-- temp-shadow safe
CREATE TEMP TABLE customers AS SELECT id, ssn AS hidden FROM public.customers;
SELECT hidden FROM customers WHERE id = 1;

-- temp-view safe
CREATE TEMP VIEW tv AS SELECT ssn AS x FROM customers;
SELECT x FROM tv;

-- rename-column safe
ALTER TABLE customers RENAME COLUMN ssn TO note2;
SELECT note2 FROM customers WHERE id = 1;

-- user-function block
SELECT ssn_of(1);

-- user-function-in-from block
SELECT * FROM ssn_of(1);

-- setof-table block
SELECT ssn FROM all_customers();

-- user-function-in-where block
SELECT id FROM orders WHERE ssn_of(1) LIKE '2%';

-- user-function-qualified block
SELECT public.ssn_of(1);

-- function-notation-of-column safe
SELECT ssn(customers) FROM customers WHERE id = 1;

-- attribute-notation safe
SELECT (customers).ssn FROM customers WHERE id = 1;

-- read-file block
SELECT pg_read_file('/etc/passwd');

-- read-binary-file block
SELECT pg_read_binary_file('postgresql.conf');

-- ls-dir block
SELECT pg_ls_dir('.');

-- ls-logdir block
SELECT * FROM pg_ls_waldir();

-- stat-file block
SELECT pg_stat_file('PG_VERSION');

-- lo-import block
SELECT lo_import('/etc/passwd');

-- lo-export block
SELECT lo_export(1, '/tmp/x');

-- lo-from-bytea block
SELECT lo_from_bytea(0, 'x'::bytea);

-- lo-get block
SELECT lo_get(1);

-- set-config-path safe
SELECT set_config('search_path', 'other', false); SELECT ssn FROM public.customers WHERE id = 1;

-- set-config-role block
SELECT set_config('role', 'postgres', false);

-- set-config-computed block
SELECT set_config('ro' || 'le', 'postgres', false);

-- set-config-in-subquery block
SELECT (SELECT set_config('session_authorization', 'postgres', false));

-- terminate block
SELECT pg_terminate_backend(pg_backend_pid());

-- cancel block
SELECT pg_cancel_backend(pg_backend_pid());

-- reload block
SELECT pg_reload_conf();

-- string-agg safe
SELECT string_agg(ssn, ',') FROM customers;

-- array-agg safe
SELECT array_agg(card ORDER BY id) FROM customers;

-- json-agg safe
SELECT json_agg(customers) FROM customers;

-- jsonb-object-agg safe
SELECT jsonb_object_agg(id, ssn) FROM customers;

-- min-max safe
SELECT min(ssn), max(ssn) FROM customers WHERE id = 1;

-- mode safe
SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers;

-- percentile safe
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers;

-- xmlagg safe
SELECT xmlagg(xmlelement(name s, ssn)) FROM customers;

-- to-tsvector safe
SELECT to_tsvector('simple', ssn) FROM customers WHERE id = 1;

-- hstore safe
SELECT hstore(customers) FROM customers WHERE id = 1;

-- num-nulls safe
SELECT num_nonnulls(ssn) FROM customers WHERE id = 1;

-- pg-typeof safe
SELECT pg_typeof(ssn), ssn IS NULL FROM customers WHERE id = 1;

-- json-each-over-row safe
SELECT key, value FROM customers, jsonb_each_text(to_jsonb(customers)) WHERE id = 1;

-- unnest-array safe
SELECT u FROM customers, unnest(ARRAY[ssn, card]) u WHERE id = 1;

-- json-to-record safe
SELECT r.s FROM customers c, json_to_record(to_json(c)) AS r(ssn text, s text) WHERE c.id = 1;

-- json-populate safe
SELECT (json_populate_record(NULL::customers_eu, to_json(c))).* FROM customers c WHERE id = 1;

-- generate-series-over-value safe
SELECT count(*) FROM customers, generate_series(1, replace(ssn, '-', '')::int / 1000000) WHERE id = 1;

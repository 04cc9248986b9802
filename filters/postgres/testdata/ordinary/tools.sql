SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE c.oid = 'orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid = '"orders"'::regclass AND indisprimary) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx] ORDER BY i.idx;
SELECT DISTINCT i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'orders' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname;
SELECT t.typname, t.oid, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type AS t LEFT JOIN pg_range AS r ON t.oid = r.rngtypid WHERE t.typname IN ('int2', 'int4', 'text', 'json') OR t.typtype IN ('r', 'e', 'd');
SELECT "orders".* FROM "orders" WHERE "orders"."id" = 5 LIMIT 1;
SELECT 1 AS one FROM "orders" WHERE "orders"."item" = 'lamp' LIMIT 1;
SELECT COUNT(*) FROM "orders" INNER JOIN "customers" ON "customers"."id" = "orders"."customer_id" WHERE "customers"."name" = 'x';
SELECT "customers"."id" AS t0_r0, "customers"."name" AS t0_r1, "orders"."id" AS t1_r0 FROM "customers" LEFT OUTER JOIN "orders" ON "orders"."customer_id" = "customers"."id" WHERE "customers"."id" = 1;
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid);
SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'orders' AND pg_catalog.pg_table_is_visible(cl.oid);
SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i') AND d.refobjid = 'orders'::regclass;
SELECT (1) AS "a" FROM "orders" WHERE "orders"."quantity" = 3 LIMIT 1;
SELECT "orders"."item", COUNT("orders"."id") AS "n" FROM "orders" GROUP BY "orders"."item" HAVING COUNT("orders"."id") > 2 ORDER BY "n" DESC;
SELECT DATE_TRUNC('month', "orders"."placed_at" AT TIME ZONE 'UTC') AS "m", SUM("orders"."amount") AS "s" FROM "orders" GROUP BY 1;
SELECT "t"."id" FROM "orders" "t" WHERE ("t"."item" LIKE 'x%' ESCAPE '\' OR UPPER("t"."item"::text) LIKE UPPER('%y%'));
SELECT o1_0.id, o1_0.amount, c1_0.id, c1_0.name FROM orders o1_0 JOIN customers c1_0 ON c1_0.id = o1_0.customer_id WHERE o1_0.amount > 5 ORDER BY o1_0.id OFFSET 0 ROWS FETCH FIRST 10 ROWS ONLY;
SELECT o1_0.id FROM orders o1_0 WHERE o1_0.customer_id IN (1, 2, 3) AND (o1_0.placed_at, o1_0.id) > ('2026-01-01', 4) ORDER BY o1_0.placed_at, o1_0.id;
SELECT relname, reltuples::bigint FROM pg_class WHERE relname = 'orders';
SELECT pg_catalog.version();
SELECT current_schema();
SHOW transaction isolation level;
SHOW standard_conforming_strings;
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p']) AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog';
SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.col_description(pg_catalog.pg_attribute.attrelid, pg_catalog.pg_attribute.attnum) FROM pg_catalog.pg_attribute WHERE pg_catalog.pg_attribute.attnum > 0 AND pg_catalog.pg_attribute.attrelid = 'orders'::regclass;
SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore';
SELECT tbl.relname AS table_name, namespace.nspname as namespace FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace WHERE tbl.relkind IN ('r', 'p') AND namespace.nspname = ANY (ARRAY['public']) ORDER BY namespace, table_name;
SELECT info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type, info.numeric_precision, info.is_nullable, info.column_default, att.attidentity, description.description FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace) AS oid ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema LEFT JOIN pg_description description ON description.objoid = att.attrelid AND description.objsubid = att.attnum WHERE info.table_schema = 'public';
SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = 'public'), version(), current_setting('server_version_num')::integer AS numeric_version;
SELECT n.nspname AS "Schema", c.relname AS "Name" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') AND has_table_privilege(c.oid, 'SELECT');
SELECT db.oid, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) FROM pg_catalog.pg_database db WHERE NOT datistemplate AND datallowconn ORDER BY db.datname;
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname;
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c');
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.oid = 'orders'::regclass ORDER BY a.attnum;
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') LIMIT 20;
SELECT N.oid::bigint AS id, datname AS name, D.description, datistemplate AS is_template FROM pg_catalog.pg_database N LEFT JOIN pg_catalog.pg_shdescription D ON N.oid = D.objoid ORDER BY CASE WHEN datname = pg_catalog.current_database() THEN -1::bigint ELSE N.oid::bigint END;
SELECT T.relkind AS table_kind, T.relname AS table_name, T.oid AS table_id, T.xmin AS table_state_number, pg_catalog.age(T.xmin) FROM pg_catalog.pg_class T WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm', 'v', 'f', 'p') ORDER BY table_kind, table_id;
SELECT PC.oid AS id, PC.conname, PC.contype, pg_catalog.pg_get_constraintdef(PC.oid) FROM pg_catalog.pg_constraint PC WHERE PC.conrelid = 'orders'::regclass;
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE' ELSE 'TABLE' END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND c.relname LIKE 'ord%' ORDER BY TABLE_TYPE, TABLE_SCHEM;
SELECT "source"."item" AS "item", count(*) AS "count" FROM (SELECT "public"."orders"."item" AS "item" FROM "public"."orders" LIMIT 10000) AS "source" GROUP BY "source"."item" ORDER BY "source"."item" ASC LIMIT 2000;
SELECT CAST("public"."orders"."placed_at" AS date) AS "placed_at", AVG("public"."orders"."amount") FROM "public"."orders" WHERE "public"."orders"."placed_at" >= DATE_TRUNC('day', NOW() + INTERVAL '-30 day') GROUP BY CAST("public"."orders"."placed_at" AS date);
SELECT SUBSTRING("public"."customers"."name", 1, 1234) AS "substring1", "public"."customers"."id" FROM "public"."customers" LIMIT 10000;
SELECT floor(extract(epoch from placed_at) / 3600) * 3600 AS "time", sum(quantity) AS "value" FROM orders WHERE placed_at BETWEEN '2026-01-01T00:00:00Z' AND '2026-02-01T00:00:00Z' GROUP BY time ORDER BY time;
SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog');
SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s) THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table" FROM information_schema.tables;
SELECT n.nspname, t.typname, e.enumlabel FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace ORDER BY 1, 2, e.enumsortorder;
SELECT conname, condeferrable, condeferred, confdeltype, confupdtype FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace;
SELECT proname, pronargs, proargnames, pg_get_function_identity_arguments(oid), pg_get_function_result(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace;
SELECT schemaname, relname, n_live_tup, last_analyze FROM pg_stat_user_tables;
SELECT indexrelname, idx_scan FROM pg_stat_user_indexes ORDER BY idx_scan;
SELECT r.rolname, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
SELECT viewname, definition FROM pg_views WHERE schemaname = 'public';
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal;
SELECT json_agg(row_to_json(t)) FROM (SELECT id, item, amount FROM orders ORDER BY id LIMIT 5) t;
SELECT coalesce(json_agg(json_build_object('id', o.id, 'customer', (SELECT row_to_json(x) FROM (SELECT c.id, c.name) x))), '[]') FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id < 5;
SELECT c.id, c.email, o.list FROM customers c LEFT JOIN LATERAL (SELECT coalesce(jsonb_agg(o.item), '[]'::jsonb) AS list FROM orders o WHERE o.customer_id = c.id) o ON true LIMIT 5;
SELECT id, email FROM customers WHERE id = ANY (ARRAY[1, 2, 3]) ORDER BY id;
SELECT id, email FROM customers WHERE id = ANY ('{1,2,3}'::int[]);
SELECT count(*) OVER () AS total, id, name, email FROM customers ORDER BY id LIMIT 5 OFFSET 5;
WITH page AS MATERIALIZED (SELECT id, ssn FROM customers ORDER BY id LIMIT 5) SELECT p.id, p.ssn, count(o.id) OVER (PARTITION BY p.id) FROM page p LEFT JOIN orders o ON o.customer_id = p.id LIMIT 5;
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT * FROM customers LIMIT 1; COMMIT;
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
SET extra_float_digits = 3; SET DateStyle = 'ISO'; SET client_encoding TO 'UTF8'; SELECT 1;
SET search_path TO public; SELECT count(*) FROM orders;
COPY (SELECT id, email, ssn FROM customers ORDER BY id LIMIT 3) TO STDOUT WITH (FORMAT csv, HEADER true, NULL 'NA');
COPY customers (id, ssn) TO STDOUT WITH (NULL 'NULL');
DECLARE cur NO SCROLL CURSOR WITH HOLD FOR SELECT id, name FROM customers; FETCH FORWARD 3 FROM cur; CLOSE cur;
\d+ orders
\d+ customers
\dt+ *.*
\di
\ds
\dm
\dp
\dy
\dRp
\dconfig search_path
\dP
\dF
\dc
\dD
\dFt
\encoding
\conninfo

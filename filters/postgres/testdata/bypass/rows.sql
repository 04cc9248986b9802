-- gencol safe
SELECT tail FROM people;
-- gencol-star safe
SELECT * FROM people;
-- gencol-where block
SELECT id FROM people WHERE tail LIKE '219%';
-- kid safe
SELECT ssn, card, email FROM customers_kid;
-- kid-star safe
TABLE customers_kid;
-- kid-where block
SELECT id FROM customers_kid WHERE ssn = '219-09-8731';
-- kid-only safe
SELECT ssn FROM ONLY customers_kid;
-- kid-copy safe
COPY customers_kid TO STDOUT;
-- trigger-notice safe
UPDATE people SET notes = 'z' WHERE id = 1;
-- rule-returning block
UPDATE people_rule SET notes = 'z' WHERE id = 1 RETURNING *;
-- view-returning safe
UPDATE people_view SET notes = 'z' WHERE id = 1 RETURNING *;
-- view-returning-old safe
UPDATE people_view SET notes = 'z' WHERE id = 1 RETURNING old.number, new.*;
-- view-insert-conflict block
INSERT INTO people_view (id, number) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET notes = people_view.number RETURNING notes;
-- func-notation block
SELECT ssn(c) FROM customers c;
-- func-notation-schema block
SELECT public.ssn(c) FROM customers c;
-- paren-star safe
SELECT (c).* FROM customers c;
-- sub-composite2 safe
SELECT ((SELECT c FROM customers c WHERE id = 1)).ssn;
-- arr-comp safe
SELECT (array_agg(c))[1].ssn FROM customers c;
-- arr-comp2 safe
SELECT ((array_agg(c))[1]).ssn FROM customers c;
-- func-cast safe
SELECT text(c) FROM customers c;
-- rec-out block
SELECT record_out(c) FROM customers c;
-- rec-send block
SELECT record_send(c) FROM customers c;
-- format-row block
SELECT format('%s %L %I', c, c.ssn, c.card) FROM customers c;
-- concat-variadic safe
SELECT concat_ws('/', VARIADIC ARRAY[c.ssn, c.card]) FROM customers c;
-- num-nonnull safe
SELECT num_nulls(c.ssn, c.card) FROM customers c;
-- jsonb-sub safe
SELECT (to_jsonb(c))['ssn'] FROM customers c;
-- jsonb-path safe
SELECT jsonb_path_query(to_jsonb(c), '$.ssn') FROM customers c;
-- hstore-each block
SELECT e.* FROM customers c, each(hstore(c)) e;
-- hstore-arrow block
SELECT hstore(c)->'ssn' FROM customers c;
-- populate block
SELECT (jsonb_populate_record(NULL::other.customers, to_jsonb(c))).ssn FROM customers c;
-- populate2 block
SELECT r.* FROM customers c, jsonb_to_record(to_jsonb(c)) AS r(ssn text);
-- populate3 block
SELECT r.* FROM jsonb_populate_recordset(NULL::pair, (SELECT jsonb_agg(jsonb_build_object('a', ssn)) FROM customers)) r;
-- row-cast-txt block
SELECT ROW(ssn, card)::pair::text FROM customers;
-- row-cast-tab block
SELECT (ROW(c.id, c.ssn)::other.customers).ssn FROM customers c;
-- xmlelement block
SELECT xmlelement(name x, xmlattributes(ssn AS s), c.card) FROM customers c;
-- xmltable block
SELECT x.* FROM customers c, XMLTABLE('/r' PASSING xmlelement(name r, c.ssn) COLUMNS v text PATH '.') x;
-- jsontable safe
SELECT x.* FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (v text PATH '$.ssn')) x;
-- jsontable-nested safe
SELECT x.* FROM JSON_TABLE((SELECT jsonb_agg(c) FROM customers c), '$[*]' COLUMNS (NESTED PATH '$' COLUMNS (v text PATH '$.ssn', e bool EXISTS PATH '$.ssn'))) x;
-- json-value safe
SELECT JSON_VALUE(to_jsonb(c), '$.ssn'), JSON_QUERY(to_jsonb(c), '$.card'), JSON_EXISTS(to_jsonb(c), '$ ? (@.ssn starts with "219")') FROM customers c;
-- json-object safe
SELECT JSON_OBJECT('a': ssn), JSON_ARRAY(ssn, card), JSON_SCALAR(ssn), JSON_SERIALIZE(JSON_SCALAR(card)) FROM customers;
-- json-objectagg safe
SELECT JSON_OBJECTAGG(id: ssn), JSON_ARRAYAGG(card ORDER BY id) FROM customers;
-- json-uniq-agg safe
SELECT JSON_OBJECTAGG(k: 1 WITH UNIQUE KEYS) FROM (SELECT ssn AS k FROM customers UNION ALL SELECT '219-09-8731') t;
-- json-uniq-is safe
SELECT ('{"' || ssn || '":1,"219-09-8731":2}') IS JSON OBJECT WITH UNIQUE KEYS FROM customers;
-- jsonb-unique safe
SELECT json_object_agg_unique(k, 1) FROM (SELECT ssn AS k FROM customers UNION ALL SELECT '219-09-8731') t;
-- jsonb-object-null safe
SELECT jsonb_object_agg(ssn, id) FROM customers;
-- json-object-two safe
SELECT json_object(ARRAY[ssn, card]) FROM customers;
-- json-ctor safe
SELECT JSON(ssn) FROM customers;
-- ts-rewrite-more block
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, plainto_tsquery(''simple'', ssn) FROM customers WHERE id=1');
-- tsvec block
SELECT to_tsvector('simple', ssn), array_to_tsvector(ARRAY[card]) FROM customers;
-- ts-headline block
SELECT ts_headline(ssn, to_tsquery('219')) FROM customers;
-- rowsfrom block
SELECT * FROM ROWS FROM (unnest(ARRAY(SELECT ssn FROM customers)), generate_series(1, 3)) WITH ORDINALITY;
-- rowsfrom-coldef block
SELECT * FROM ROWS FROM (jsonb_to_recordset((SELECT jsonb_agg(c) FROM customers c)) AS (ssn text, id int), generate_series(1,2));
-- lateral-values safe
SELECT v.* FROM customers c, LATERAL (VALUES (c.ssn), (c.card)) v(x);
-- srf-len block
SELECT generate_series(1, length(ssn)) FROM customers WHERE id = 1;
-- regexp-table block
SELECT regexp_split_to_table(ssn, '-') FROM customers;
-- string-table block
SELECT string_to_table(ssn, NULL) FROM customers;
-- regexp-match-more block
SELECT regexp_match(ssn, '^(2)') FROM customers;
-- regexp-count block
SELECT regexp_count(ssn, '2'), regexp_instr(ssn, '9'), regexp_substr(card, '.*') FROM customers;
-- limit-len block
SELECT g FROM generate_series(1, 20) g LIMIT (SELECT length(ssn) FROM customers WHERE id = 1);
-- offset-len block
SELECT g FROM generate_series(1, 20) g OFFSET (SELECT length(ssn) FROM customers WHERE id = 1);
-- fetch-ascii block
SELECT g FROM generate_series(1, 99) g FETCH FIRST (SELECT ascii(ssn) FROM customers WHERE id = 1) ROWS ONLY;
-- tablesample-more block
SELECT count(*) FROM orders TABLESAMPLE SYSTEM ((SELECT ascii(ssn) FROM customers WHERE id = 1));
-- repeat-len block
SELECT repeat('x', (SELECT ascii(ssn) FROM customers WHERE id = 1));
-- substr-pos block
SELECT substr('0123456789', ascii(ssn) - 47, 1) FROM customers;
-- lpad-len block
SELECT lpad('', ascii(ssn), '*') FROM customers;
-- array-idx block
SELECT (ARRAY['a','b','c'])[(SELECT ascii(ssn) - 48 FROM customers WHERE id = 1)];
-- array-slice block
SELECT (ARRAY[1,2,3,4])[1:(SELECT ascii(ssn)-48 FROM customers WHERE id = 1)];
-- array-fill block
SELECT array_fill(0, ARRAY[ascii(ssn)]) FROM customers;
-- row-cmp block
SELECT ROW(id, ssn) < ROW(1, '3') FROM customers;
-- row-eq block
SELECT c = ROW(1,'Mallory Canary','canaryperson@example.com','219-09-8731','4929123456789012','vip')::customers FROM customers c;
-- row-not-null safe
SELECT c IS NOT NULL, c.* IS NULL FROM customers c;
-- row-distinct block
SELECT DISTINCT c FROM customers c;
-- row-group block
SELECT count(*) FROM customers c GROUP BY c;
-- count-distinct-more safe
SELECT count(DISTINCT c) FROM customers c;
-- union-dedup block
SELECT ssn FROM customers UNION SELECT '219-09-8731';

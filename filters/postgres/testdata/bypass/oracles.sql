-- nullif block
SELECT nullif(ssn, '219-09-8731') FROM customers WHERE id = 1;

-- case-else-null block
SELECT CASE WHEN ssn LIKE '219%' THEN 'y' END FROM customers WHERE id = 1;

-- case-simple block
SELECT CASE ssn WHEN '219-09-8731' THEN 'y' END FROM customers WHERE id = 1;

-- case-nested-below block
SELECT x FROM (SELECT CASE WHEN s LIKE '219%' THEN 1 END AS x FROM (SELECT ssn AS s FROM customers) a) b;

-- and-null block
SELECT (ssn LIKE '219%') AND NULL FROM customers WHERE id = 1;

-- or-null block
SELECT (ssn < '3') OR NULL FROM customers WHERE id = 1;

-- in-list block
SELECT ssn IN ('219-09-8731', NULL) FROM customers WHERE id = 1;

-- any-array block
SELECT ssn = ANY (ARRAY['219-09-8731', NULL]) FROM customers WHERE id = 1;

-- in-subquery block
SELECT ssn IN (SELECT item FROM orders UNION ALL SELECT NULL) FROM customers WHERE id = 1;

-- row-comparison block
SELECT (ssn, 1) = ('219-09-8731', NULL) FROM customers WHERE id = 1;

-- json-key block
SELECT jsonb_build_object(ssn, 1) -> '219-09-8731' FROM customers WHERE id = 1;

-- json-key-as-argument block
SELECT '{"219-09-8731": 1}'::jsonb -> ssn FROM customers WHERE id = 1;

-- json-subscript block
SELECT (jsonb_build_object(ssn, 1))['219-09-8731'] FROM customers WHERE id = 1;

-- json-contains block
SELECT to_jsonb(c) @> '{"ssn": "219-09-8731"}' FROM customers c WHERE id = 1;

-- json-path-first block
SELECT jsonb_path_query_first(to_jsonb(c), '$.ssn ? (@ like_regex "^219")') FROM customers c WHERE id = 1;

-- json-path-with-variables block
SELECT jsonb_path_query_first('["219-09-8731"]', '$[*] ? (@ == $s)', jsonb_build_object('s', ssn)) FROM customers WHERE id = 1;

-- json-path-operator block
SELECT to_jsonb(c) @? '$.ssn ? (@ like_regex "^219")' FROM customers c WHERE id = 1;

-- array-subscript block
SELECT (ARRAY['a'])[length(ssn) - 10] FROM customers WHERE id = 1;

-- array-position block
SELECT array_position(ARRAY['219-09-8731'], ssn) FROM customers WHERE id = 1;

-- substring-pattern block
SELECT substring(ssn FROM '^219') FROM customers WHERE id = 1;

-- substring-similar block
SELECT substring(ssn SIMILAR '219#"%#"' ESCAPE '#') FROM customers WHERE id = 1;

-- regexp-match block
SELECT regexp_match(ssn, '^219') FROM customers WHERE id = 1;

-- regexp-substr block
SELECT regexp_replace(ssn, '^(219)', repeat('\1', 100)) FROM customers WHERE id = 1;

-- to-regclass block
SELECT to_regclass(ssn) FROM customers WHERE id = 1;

-- to-regrole block
SELECT to_regrole(name || ssn) FROM customers WHERE id = 1;

-- hstore-key block
SELECT hstore(ssn, 'x') -> '219-09-8731' FROM customers WHERE id = 1;

-- division block
SELECT 1 / (length(ssn) - 11) FROM customers WHERE id = 1;

-- division-case block
SELECT CASE WHEN substr(ssn, 1, 1) = '2' THEN 1 / 0 END FROM customers WHERE id = 1;

-- cast-tells block
SELECT (substr(ssn, 1, 1) || 'e9')::int FROM customers WHERE id = 1;

-- cast-tells-boolean block
SELECT translate(ssn, '0123456789-', 'tttttttttt')::bool FROM customers WHERE id = 1;

-- cast-notation block
SELECT int4(left(ssn, 3)) FROM customers WHERE id = 1;

-- cast-field-notation block
SELECT (c.ssn).date FROM customers c WHERE id = 1;

-- chr-of-value block
SELECT chr(ascii(ssn) - 50) FROM customers WHERE id = 1;

-- sleep-argument block
SELECT pg_sleep(length(ssn) - 11) FROM customers WHERE id = 1;

-- sleep-case block
SELECT CASE WHEN ssn LIKE '219%' THEN pg_sleep(0) END FROM customers WHERE id = 1;

-- slow-regex block
SELECT ssn ~ '^219(a?){20}a{20}' FROM customers WHERE id = 1;

-- replace-grows block
SELECT replace(ssn, '219', repeat('x', 100000000)) FROM customers WHERE id = 1;

-- repeat-grows block
SELECT repeat('x', 1000000 * length(ssn)) FROM customers WHERE id = 1;

-- filter block
SELECT count(*) FILTER (WHERE ssn LIKE '219%') FROM customers;

-- filter-null block
SELECT max(name) FILTER (WHERE ssn LIKE '219%') FROM customers;

-- bool-or block
SELECT bool_or(ssn LIKE '219%') FROM customers;

-- aggregate-order block
SELECT string_agg(name, ',' ORDER BY ssn) FROM customers;

-- within-group block
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers;

-- hypothetical-rank block
SELECT rank('219-09-8731') WITHIN GROUP (ORDER BY ssn) FROM customers;

-- sum-overflow block
SELECT sum(left(ssn, 3)::float8 * 1e306) FROM customers;

-- greatest block
SELECT greatest(ssn, '219-09-8731') FROM customers WHERE id = 1;

-- coalesce-of-nullif block
SELECT coalesce(nullif(ssn, '219-09-8731'), 'same') FROM customers WHERE id = 1;

-- is-distinct block
SELECT ssn IS DISTINCT FROM '219-09-8731' FROM customers WHERE id = 1;

-- between block
SELECT ssn BETWEEN '2' AND NULL FROM customers WHERE id = 1;

-- scalar-subquery-rows block
SELECT (SELECT 1 FROM generate_series(1, 2) g WHERE g <= length(c.ssn) - 10) FROM customers c WHERE id = 1;

-- lateral-condition block
SELECT c.id FROM customers c, LATERAL (SELECT 1 WHERE c.ssn LIKE '219%') x;

-- column-size block
SELECT pg_column_size(ssn) FROM customers WHERE id = 1;

-- input-is-valid block
SELECT nullif(pg_input_is_valid(ssn, 'int'), false) FROM customers WHERE id = 1;

-- convert-encoding block
SELECT convert_to(ssn, 'LATIN1') FROM customers WHERE id = 1;

-- set-byte block
SELECT get_byte(convert_to(ssn, 'UTF8'), 20) FROM customers WHERE id = 1;

-- width-bucket block
SELECT width_bucket(ssn, ARRAY['1', '3']) FROM customers WHERE id = 1;

-- array-of-arrays block
SELECT ARRAY[string_to_array(ssn, '9'), ARRAY['a']] FROM customers WHERE id = 1;

-- json-duplicate-keys safe
SELECT JSON_OBJECT(ssn: 1, '219-09-8731': 2 WITH UNIQUE KEYS) FROM customers WHERE id = 1;

-- json-returning-length safe
SELECT JSON_ARRAY(ssn RETURNING varchar(10)) FROM customers WHERE id = 1;

-- json-format safe
SELECT JSON_ARRAY(ssn FORMAT JSON) FROM customers WHERE id = 1;

-- json-exists safe
SELECT JSON_EXISTS(to_jsonb(c), '$.ssn ? (@ like_regex "^219")') FROM customers c WHERE id = 1;

-- json-value-default safe
SELECT JSON_VALUE(to_jsonb(c), '$.ssn ? (@ like_regex "^219")' DEFAULT 'no' ON EMPTY) FROM customers c WHERE id = 1;

-- is-json safe
SELECT nullif(left(ssn, 3) IS JSON, true) FROM customers WHERE id = 1;

-- set-expression block
UPDATE customers SET ssn = CASE WHEN ssn LIKE '219%' THEN (1 / 0)::text ELSE ssn END WHERE id = 1;

-- returning-case block
UPDATE customers SET notes = 'x' WHERE id = 1 RETURNING CASE WHEN ssn LIKE '219%' THEN 1 END;

-- copy-query-case block
COPY (SELECT CASE WHEN ssn LIKE '219%' THEN 1 END FROM customers) TO STDOUT;

-- explain-case block
EXPLAIN ANALYZE SELECT CASE WHEN ssn LIKE '219%' THEN 1 / 0 END FROM customers;

-- explain-estimate block
EXPLAIN SELECT id FROM customers WHERE ssn = '219-09-8731';

-- through-view block
SELECT nullif(code, '219-09-8731') FROM customer_codes WHERE id = 1;

-- through-whole-row block
SELECT nullif(c::text, 'x') FROM customers c WHERE id = 1;

-- through-whole-row-field block
SELECT nullif((c).ssn, '219-09-8731') FROM customers c WHERE id = 1;

-- prepared block
PREPARE o(text) AS SELECT nullif(ssn, $1) FROM customers WHERE id = 1; EXECUTE o('219-09-8731');

-- cursor block
BEGIN; DECLARE c CURSOR FOR SELECT nullif(ssn, '219-09-8731') FROM customers; FETCH ALL FROM c; COMMIT;

-- total-functions-stay mask
SELECT upper(ssn), left(card, 4), ssn || '!', coalesce(ssn, 'none'), ssn IS NULL, length(ssn), md5(card), ssn::varchar(3), concat(ssn, card), to_json(ssn) FROM customers WHERE id = 1;

-- total-aggregates-stay mask
SELECT count(ssn), min(ssn), max(card), string_agg(ssn, ','), array_agg(card), json_agg(c) FROM customers c;

-- whole-row safe
SELECT customers FROM customers WHERE id = 1;

-- whole-row-alias safe
SELECT c FROM customers c WHERE id = 1;

-- whole-row-text safe
SELECT c::text FROM customers c WHERE id = 1;

-- whole-row-star safe
SELECT (c).* FROM customers c WHERE id = 1;

-- row-to-json safe
SELECT row_to_json(c) FROM customers c WHERE id = 1;

-- to-jsonb-key safe
SELECT to_jsonb(c) ->> 'ssn' FROM customers c WHERE id = 1;

-- record-comparison safe
SELECT c FROM customers c WHERE c = ROW(1, 'a', 'b', 'c', 'd', 'e')::customers;

-- cast-varchar safe
SELECT ssn::varchar(20) FROM customers WHERE id = 1;

-- cast-name safe
SELECT CAST(ssn AS name) FROM customers WHERE id = 1;

-- cast-error safe
SELECT ssn::int FROM customers WHERE id = 1;

-- cast-error-date safe
SELECT ssn::date FROM customers WHERE id = 1;

-- cast-error-json safe
SELECT ('{' || ssn)::json FROM customers WHERE id = 1;

-- cast-error-regclass safe
SELECT card::regclass FROM customers WHERE id = 1;

-- cast-error-enum safe
SELECT email::inet FROM customers WHERE id = 1;

-- xml-error safe
SELECT ('<' || ssn)::xml FROM customers WHERE id = 1;

-- to-number-error safe
SELECT to_date(ssn, 'YYYY-MM-DD') FROM customers WHERE id = 1;

-- array-index safe
SELECT (ARRAY[ssn])[1] FROM customers WHERE id = 1;

-- composite-field safe
SELECT (ROW(ssn, 1)::record)::text FROM customers WHERE id = 1;

-- insert-conflict-detail safe
INSERT INTO customers SELECT * FROM customers WHERE id = 1;

-- not-null-detail safe
UPDATE customers SET id = NULL WHERE id = 1;

-- division-by-value safe
SELECT 1 / (replace(ssn, '-', '')::bigint - 219098731) FROM customers WHERE id = 1;

-- collation safe
SELECT ssn COLLATE "C" FROM customers WHERE id = 1;

-- regex-error safe
SELECT 'a' ~ ('(' || ssn) FROM customers WHERE id = 1;

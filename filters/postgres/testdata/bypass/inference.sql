-- where-equals block
SELECT id FROM customers WHERE ssn = '219-09-8731';

-- where-like block
SELECT id FROM customers WHERE ssn LIKE '219%';

-- where-in block
SELECT id FROM customers WHERE card IN ('4929123456789012');

-- where-between block
SELECT id FROM customers WHERE ssn BETWEEN '2' AND '3';

-- where-function block
SELECT id FROM customers WHERE left(ssn, 3) = '219';

-- where-cast block
SELECT id FROM customers WHERE ssn::text > '2';

-- where-regex block
SELECT id FROM customers WHERE ssn ~ '^219';

-- where-subquery block
SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE ssn LIKE '219%');

-- where-row block
SELECT id FROM customers WHERE (id, ssn) = (1, '219-09-8731');

-- where-wholerow block
SELECT id FROM customers c WHERE c::text LIKE '%219-09%';

-- where-json block
SELECT id FROM customers c WHERE to_jsonb(c) ->> 'ssn' = '219-09-8731';

-- where-view block
SELECT id FROM customer_codes WHERE code LIKE '219%';

-- where-view-on-view block
SELECT n FROM codes_again WHERE c LIKE '219%';

-- where-cte block
WITH x AS (SELECT id, ssn s FROM customers) SELECT id FROM x WHERE s LIKE '219%';

-- where-not-null-ok block
SELECT id FROM customers WHERE nullif(ssn, '219-09-8731') IS NULL;

-- order-by block
SELECT id FROM customers ORDER BY ssn;

-- order-by-ordinal block
SELECT id, ssn FROM customers ORDER BY 2;

-- order-by-alias block
SELECT id, ssn AS s FROM customers ORDER BY s;

-- order-by-expression block
SELECT id FROM customers ORDER BY (ssn < '3')::int;

-- order-by-whole-row block
SELECT id FROM customers c ORDER BY c;

-- group-by block
SELECT count(*) FROM customers GROUP BY ssn;

-- group-by-ordinal block
SELECT substr(ssn, 1, 1), count(*) FROM customers GROUP BY 1;

-- having block
SELECT count(*) FROM customers HAVING min(ssn) LIKE '219%';

-- distinct block
SELECT DISTINCT ssn FROM customers;

-- distinct-on block
SELECT DISTINCT ON (ssn) id FROM customers;

-- count-distinct safe
SELECT count(DISTINCT ssn) FROM customers;

-- filter safe
SELECT count(*) FILTER (WHERE ssn LIKE '219%') FROM customers;

-- join-on block
SELECT c.id FROM customers c JOIN (VALUES ('219-09-8731')) v(s) ON c.ssn = v.s;

-- join-using block
SELECT id FROM customers JOIN (VALUES ('219-09-8731')) v(ssn) USING (ssn);

-- natural-join block
SELECT id FROM customers NATURAL JOIN (SELECT '219-09-8731' AS ssn) v;

-- window-partition safe
SELECT rank() OVER (ORDER BY ssn) FROM customers;

-- named-window safe
SELECT rank() OVER w FROM customers WINDOW w AS (PARTITION BY ssn);

-- limit-by-value block
SELECT id FROM orders LIMIT (SELECT substr(ssn, 1, 1)::int FROM customers WHERE id = 1);

-- offset-by-value block
SELECT id FROM orders OFFSET (SELECT substr(ssn, 2, 1)::int FROM customers WHERE id = 1);

-- update-where block
UPDATE orders SET quantity = 1 WHERE customer_id IN (SELECT id FROM customers WHERE ssn LIKE '219%');

-- delete-using block
DELETE FROM archive USING customers WHERE archive.payload = customers.ssn;

-- sleep-oracle safe
SELECT CASE WHEN ssn LIKE '219%' THEN pg_sleep(0) END FROM customers WHERE id = 1;

-- error-oracle safe
SELECT CASE WHEN ssn LIKE '219%' THEN 1/0 END FROM customers WHERE id = 1;

-- exists-oracle safe
SELECT EXISTS (SELECT 1 FROM customers WHERE ssn LIKE '219%');

-- set-op-oracle block
SELECT '219-09-8731' INTERSECT SELECT ssn FROM customers;

-- merge-on block
MERGE INTO archive a USING customers c ON a.payload = c.ssn WHEN MATCHED THEN DELETE;

-- subquery-in-from mask
SELECT x FROM (SELECT ssn AS x FROM customers WHERE id = 1) s;

-- three-deep mask
SELECT a FROM (SELECT b AS a FROM (SELECT card AS b FROM customers WHERE id = 1) t) u;

-- scalar-subquery safe
SELECT (SELECT ssn FROM customers WHERE id = 1);

-- cte mask
WITH c AS (SELECT ssn s FROM customers WHERE id = 1) SELECT s FROM c;

-- cte-materialized mask
WITH c AS MATERIALIZED (SELECT ssn s FROM customers WHERE id = 1) SELECT s FROM c;

-- cte-recursive safe
WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers WHERE id = 1 UNION ALL SELECT n + 1, s FROM r WHERE n < 3) SELECT s FROM r;

-- cte-shadows-table mask
WITH orders AS (SELECT id, ssn AS item FROM customers) SELECT item FROM orders WHERE id = 1;

-- cte-same-name-as-masked safe
WITH customers AS (SELECT id, card AS ssn2 FROM public.customers) SELECT ssn2 FROM customers WHERE id = 1;

-- union-all mask
SELECT item FROM orders WHERE id = 1 UNION ALL SELECT ssn FROM customers WHERE id = 1;

-- union-all-first mask
SELECT ssn FROM customers WHERE id = 1 UNION ALL SELECT item FROM orders WHERE id = 1;

-- union safe
SELECT item FROM orders WHERE id = 1 UNION SELECT ssn FROM customers WHERE id = 1;

-- except safe
SELECT ssn FROM customers EXCEPT SELECT item FROM orders;

-- intersect safe
SELECT ssn FROM customers INTERSECT SELECT ssn FROM customers WHERE id = 1;

-- values-with-subquery safe
VALUES ((SELECT ssn FROM customers WHERE id = 1));

-- lateral safe
SELECT l.v FROM orders o, LATERAL (SELECT c.ssn AS v FROM customers c WHERE c.id = 1) l WHERE o.id = 1;

-- join mask
SELECT c.ssn FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = 1;

-- join-alias mask
SELECT j.ssn FROM (orders o JOIN customers c ON c.id = o.customer_id) AS j(a1,a2,a3,a4,a5,a6,b1,b2,b3,ssn,b5,b6) WHERE b1 = 1;

-- view mask
SELECT code FROM customer_codes WHERE id = 1;

-- view-on-view mask
SELECT c FROM codes_again WHERE n = 1;

-- view-json safe
SELECT doc FROM customer_json WHERE id = 1;

-- materialized-view mask
SELECT number FROM customer_snapshot WHERE id = 1;

-- view-with-email mask
SELECT * FROM customer_codes WHERE id = 1;

-- exists-with-value safe
SELECT id FROM orders WHERE EXISTS (SELECT ssn FROM customers WHERE ssn LIKE '219%') AND id = 1;

-- case-in-target safe
SELECT CASE WHEN ssn LIKE '219%' THEN 'yes' ELSE 'no' END FROM customers WHERE id = 1;

-- coalesce safe
SELECT coalesce(notes, ssn) FROM customers WHERE id = 3;

-- window safe
SELECT lag(ssn) OVER (ORDER BY id) FROM customers;

-- first-value safe
SELECT first_value(card) OVER (ORDER BY id) FROM customers;

-- array-subquery safe
SELECT ARRAY(SELECT ssn FROM customers);

-- row-constructor safe
SELECT ROW(id, ssn) FROM customers WHERE id = 1;

-- returning safe
UPDATE customers SET notes = 'seen' WHERE id = 1 RETURNING ssn;

-- returning-star safe
UPDATE customers SET notes = 'seen' WHERE id = 1 RETURNING *;

-- dml-cte safe
WITH u AS (UPDATE customers SET notes = 'x' WHERE id = 1 RETURNING ssn) SELECT * FROM u;

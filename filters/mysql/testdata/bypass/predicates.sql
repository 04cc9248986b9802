-- where block
SELECT id FROM customers WHERE ssn = '219-09-8731';
-- where-like block
SELECT COUNT(*) FROM customers WHERE ssn LIKE '219%';
-- where-regexp block
SELECT id FROM customers WHERE ssn REGEXP '^2';
-- where-in block
SELECT id FROM customers WHERE ssn IN (SELECT g FROM guesses);
-- where-row block
SELECT id FROM customers WHERE (id, ssn) = (1, '219-09-8731');
-- where-exists block
SELECT 1 WHERE EXISTS (SELECT 1 FROM customers WHERE ssn LIKE '2%');
-- where-view block
SELECT id FROM contacts WHERE number LIKE '219%';
-- where-derived block
SELECT id FROM (SELECT id, ssn AS x FROM customers) d WHERE x LIKE '2%';
-- order block
SELECT id FROM customers ORDER BY ssn;
-- order-position block
SELECT id, ssn FROM customers ORDER BY 2;
-- order-alias block
SELECT id, ssn AS x FROM customers ORDER BY x;
-- order-field block
SELECT id FROM customers ORDER BY FIELD(ssn,'219-09-8731');
-- group block
SELECT COUNT(*) FROM customers GROUP BY ssn;
-- group-position block
SELECT ssn, COUNT(*) FROM customers GROUP BY 1;
-- having block
SELECT id, ssn AS x FROM customers HAVING x LIKE '219%';
-- distinct block
SELECT COUNT(DISTINCT ssn) FROM customers;
-- distinct-rows block
SELECT DISTINCT ssn FROM customers;
-- join block
SELECT c.id FROM customers c JOIN guesses g ON g.g = c.ssn;
-- join-using block
SELECT a.id FROM customers a JOIN customers b USING (ssn);
-- natural block
SELECT a.id FROM customers a NATURAL JOIN customers b;
-- union block
SELECT '219-09-8731' UNION SELECT ssn FROM customers WHERE id=1;
-- except block
SELECT ssn FROM customers EXCEPT SELECT '219-09-8731';
-- match block
SELECT id FROM customers WHERE MATCH(email) AGAINST ('canaryperson' IN BOOLEAN MODE);
-- between block
SELECT id FROM customers WHERE ssn BETWEEN '219' AND '220';
-- null-safe block
SELECT id FROM customers WHERE ssn <=> '219-09-8731';
-- limit-subquery block
SELECT id FROM customers WHERE id = (SELECT id FROM customers ORDER BY ssn LIMIT 1);
-- update-where block
UPDATE orders SET total = 1 WHERE customer_id IN (SELECT id FROM customers WHERE ssn LIKE '219%');
-- delete-where block
DELETE FROM orders WHERE customer_id = (SELECT id FROM customers WHERE ssn = '219-09-8731');
-- index-hint mask
SELECT ssn FROM customers USE INDEX (ssn) WHERE id=1;

-- alias mask
SELECT ssn AS harmless FROM customers WHERE id = 1;

-- quoted-alias mask
SELECT "ssn" AS "id" FROM "customers" WHERE id = 1;

-- upper-case mask
SELECT SSN, CARD FROM CUSTOMERS WHERE ID = 1;

-- comment-inside mask
SELECT/**/ssn/**/FROM/**/customers/**/WHERE/**/id=1;

-- nested-comments mask
SELECT /* /* */ -- */ ssn FROM customers WHERE id = 1;

-- line-comment-newline mask
SELECT -- name
ssn FROM customers WHERE id = 1;

-- whitespace-mix mask
SELECT	ssn
,card	FROM
customers WHERE id	=1;

-- unicode-identifier mask
SELECT U&"\0073sn" FROM customers WHERE id = 1;

-- unicode-identifier-escape mask
SELECT U&"!0063ard" UESCAPE '!' FROM customers WHERE id = 1;

-- qualified mask
SELECT public.customers.ssn FROM public.customers WHERE id = 1;

-- database-qualified mask
SELECT customers.card FROM corpus.public.customers WHERE id = 1;

-- table-alias-columns mask
SELECT c4 FROM customers AS t(c1, c2, c3, c4, c5, c6) WHERE c1 = 1;

-- swap-names mask
SELECT name AS ssn, ssn AS name FROM customers WHERE id = 1;

-- only mask
SELECT ssn FROM ONLY customers WHERE id = 1;

-- star-inheritance mask
SELECT ssn FROM customers * WHERE id = 1;

-- table-command mask
TABLE customers;

-- parenthesised mask
(((SELECT ssn FROM customers WHERE id = 1)));

-- dollar-quoted-next-to-it mask
SELECT $$x$$, ssn FROM customers WHERE id = 1;

-- trailing-semicolons mask
;;; SELECT ssn FROM customers WHERE id = 1;;;

-- two-statements-second-bad block
SELECT 1; DELETE FROM customers;

-- two-statements-first-bad block
DROP TABLE archive; SELECT 1;

-- stacked-in-transaction block
BEGIN; SELECT 1; TRUNCATE archive; COMMIT;

-- tablesample mask
SELECT ssn FROM customers TABLESAMPLE SYSTEM (100) WHERE id = 1;

-- for-update-of mask
SELECT ssn FROM customers WHERE id = 1 FOR UPDATE;

-- wildcard-twice mask
SELECT *, * FROM customers WHERE id = 1;

\set x 5
SELECT :x, :'x', :"x" FROM (SELECT 1 "5") t;
SELECT 1 AS one, 2 AS two \gset
\echo :one :two

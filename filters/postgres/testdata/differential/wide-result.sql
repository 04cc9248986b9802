SELECT * FROM (SELECT 1 AS c1, 2 c2, 3 c3, 4 c4, 5 c5, 6 c6, 7 c7, 8 c8, 9 c9, 10 c10, 11 c11, 12 c12, 13 c13, 14 c14, 15 c15) x;
SELECT repeat('wide', 500);

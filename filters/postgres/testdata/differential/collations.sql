SELECT 'a' < 'B' COLLATE "C", 'é' COLLATE "C" > 'z'; SELECT 'a' COLLATE nosuch;
SELECT * FROM (VALUES ('b'), ('A'), ('a')) v(x) ORDER BY x COLLATE "C";

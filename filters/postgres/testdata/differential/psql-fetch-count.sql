\set FETCH_COUNT 3
SELECT generate_series(1, 10);
SELECT 1/(5 - g) FROM generate_series(1, 10) g;

SELECT string_agg('1 AS c' || g, ', ') AS cols FROM generate_series(1, 1000) g \gset
SELECT :cols;

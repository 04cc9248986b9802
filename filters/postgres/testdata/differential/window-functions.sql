SELECT g, sum(g) OVER (ORDER BY g), rank() OVER (PARTITION BY g % 2 ORDER BY g DESC), lag(g, 1, 0) OVER w FROM generate_series(1, 6) g WINDOW w AS (ORDER BY g);
SELECT g, array_agg(g) OVER (ORDER BY g ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM generate_series(1, 4) g;

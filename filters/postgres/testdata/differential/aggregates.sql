SELECT count(*), count(DISTINCT g % 3), string_agg(g::text, ',' ORDER BY g DESC), array_agg(g) FILTER (WHERE g > 3), bool_and(g > 0), percentile_cont(0.5) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 6) g;
SELECT g % 2, g % 3, count(*) FROM generate_series(1, 12) g GROUP BY GROUPING SETS ((1), (2), ()) ORDER BY 1, 2;
SELECT g % 2, count(*) FROM generate_series(1, 5) g GROUP BY ROLLUP (1) HAVING count(*) > 1 ORDER BY 1;

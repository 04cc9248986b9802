SELECT DISTINCT g % 3 FROM generate_series(1, 9) g ORDER BY 1;
SELECT DISTINCT ON (g % 3) g FROM generate_series(1, 9) g ORDER BY g % 3, g DESC;

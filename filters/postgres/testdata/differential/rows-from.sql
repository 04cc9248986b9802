SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY['a', 'b', 'c'])) AS t(a, b);
SELECT * FROM json_to_record('{"a": 1}') AS x(a int);
SELECT * FROM generate_series(timestamp '2024-01-01', '2024-01-03', '1 day') d;

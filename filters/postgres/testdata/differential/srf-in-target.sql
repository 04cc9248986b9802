SELECT generate_series(1, 2), generate_series(1, 3); SELECT unnest(ARRAY[1, 2]) + generate_series(10, 11);
